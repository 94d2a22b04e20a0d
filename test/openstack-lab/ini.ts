export type IniValue = string | number | boolean;
export type Ini = Readonly<Record<string, Readonly<Record<string, IniValue>>>>;

/** Text of a configuration file of oslo's kind. */
export const renderIni = (file: Ini): string =>
  Object.entries(file)
    .map(([section, keys]) => [`[${section}]`, ...Object.entries(keys).map(([k, v]) => `${k} = ${v}`), ""].join("\n"))
    .join("\n");
