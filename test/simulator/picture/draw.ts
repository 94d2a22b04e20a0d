import { MARKS, PHASES, type Day, type Mark, type Sample, type ShownPhase } from "./day";

/* A picture of plain shapes: no script, no font of its own, readable on a dark page too because it brings its ground. */

const WIDTH = 1120,
  LEFT = 92,
  RIGHT = 28;
const WORKERS = { top: 96, height: 210 },
  JOBS = { top: 342, height: 120 },
  DECISIONS = { top: 500, row: 24 };
const INK = "#1f2937",
  SOFT = "#6b7280",
  GRID = "#e5e7eb",
  SHADE = "#fef3c7";
const COLOUR: Readonly<Record<ShownPhase, string>> = {
  busy: "#2563eb",
  idle: "#93c5fd",
  "on its way": "#f59e0b",
  leaving: "#a8a29e",
  lost: "#dc2626",
};
const MARK_COLOUR: Readonly<Record<Mark, string>> = {
  ordered: "#15803d",
  closed: "#b45309",
  "taken back": "#0e7490",
  gone: "#57534e",
  replaced: "#dc2626",
};

const n = (value: number): string => String(Math.round(value * 10) / 10);
const x = (minute: number): number => LEFT + (Math.min(1_440, minute) / 1_440) * (WIDTH - LEFT - RIGHT);
const text = (at: readonly [number, number], says: string, more = ""): string =>
  `<text x="${n(at[0])}" y="${n(at[1])}"${more}>${says.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</text>`;
const line = (from: readonly [number, number], to: readonly [number, number], colour: string, more = ""): string =>
  `<line x1="${n(from[0])}" y1="${n(from[1])}" x2="${n(to[0])}" y2="${n(to[1])}" stroke="${colour}"${more}/>`;

const rect = (at: readonly [number, number], size: readonly [number, number], fill: string): string =>
  `<rect x="${n(at[0])}" y="${n(at[1])}" width="${n(size[0])}" height="${n(size[1])}" fill="${fill}"/>`;

/** Rows of what did happen on this day. */
const marksOf = (day: Day): readonly Mark[] => MARKS.filter((mark) => day.marks.some((m) => m.mark === mark));
const bottomOf = (day: Day): number => DECISIONS.top + marksOf(day).length * DECISIONS.row;

/** Steps between two heights; what does not change takes no place. */
function steps(samples: readonly Sample[], y: (s: Sample) => number): string {
  let last: number | undefined,
    out = "";
  for (const s of samples) {
    const now = y(s);
    if (last === undefined) out += `M${n(x(s.minute))},${n(now)}`;
    else if (now !== last) out += `H${n(x(s.minute))}V${n(now)}`;
    last = now;
  }
  return `${out}H${n(x(1_440))}`;
}

function stack(day: Day): string[] {
  const unit = WORKERS.height / day.max;
  const base = WORKERS.top + WORKERS.height;
  const sum = (s: Sample, upTo: number): number => PHASES.slice(0, upTo).reduce((a, p) => a + s.workers[p], 0);
  // From the back to the front: each layer covers down to the ground.
  return [...PHASES.keys()]
    .reverse()
    .map((i) => `<path d="${steps(day.samples, (s) => base - sum(s, i + 1) * unit)}V${base}H${n(x(0))}Z" fill="${COLOUR[PHASES[i]!]}"/>`);
}

function axes(day: Day): string[] {
  const out: string[] = [];
  const bottom = bottomOf(day);
  for (let hour = 0; hour <= 24; hour += 3) {
    out.push(
      line([x(hour * 60), WORKERS.top], [x(hour * 60), bottom], GRID),
      text([x(hour * 60), bottom + 18], `${String(hour).padStart(2, "0")}:00`, ' text-anchor="middle"'),
    );
  }
  for (let w = 0; w <= day.max; w += 2) {
    const y = WORKERS.top + WORKERS.height - (w * WORKERS.height) / day.max;
    out.push(line([LEFT, y], [WIDTH - RIGHT, y], GRID), text([LEFT - 8, y + 4], String(w), ' text-anchor="end"'));
  }
  return out;
}

function jobs(day: Day): string[] {
  const most = Math.max(20, Math.ceil(Math.max(...day.samples.map((s) => s.waiting)) / 20) * 20);
  const base = JOBS.top + JOBS.height,
    y = (count: number): number => base - (Math.min(most, count) * JOBS.height) / most;
  const out: string[] = [];
  for (const c of [0, most / 2, most])
    out.push(line([LEFT, y(c)], [WIDTH - RIGHT, y(c)], GRID), text([LEFT - 8, y(c) + 4], String(c), ' text-anchor="end"'));
  out.push(`<path d="${steps(day.samples, (s) => y(s.waiting))}V${base}H${n(x(0))}Z" fill="#fca5a5"/>`);
  out.push(`<path d="${steps(day.samples, (s) => y(s.running))}" fill="none" stroke="${COLOUR.busy}" stroke-width="1.5"/>`);
  return out;
}

function decisions(day: Day): string[] {
  return marksOf(day).flatMap((mark, row) => {
    const y = DECISIONS.top + (row + 0.5) * DECISIONS.row;
    const own = day.marks.filter((m) => m.mark === mark);
    return [
      line([LEFT, y], [WIDTH - RIGHT, y], GRID),
      text([LEFT - 10, y + 4], mark, ' text-anchor="end"'),
      ...own.map(
        (m) =>
          `<circle cx="${n(x(m.minute))}" cy="${n(y)}" r="${n(2.4 + m.count * 0.9)}" fill="${MARK_COLOUR[mark]}" fill-opacity="0.75"/>`,
      ),
    ];
  });
}

function incidents(day: Day): { readonly behind: string[]; readonly above: string[] } {
  const bottom = bottomOf(day);
  const behind = day.incidents.flatMap((i) =>
    i.minutes === undefined
      ? []
      : [
          rect([x(i.minute), WORKERS.top], [x(i.minute + i.minutes) - x(i.minute), bottom - WORKERS.top], SHADE),
        ],
  );
  const above = day.incidents.flatMap((i, k) => {
    const at = x(i.minute + (i.minutes ?? 0) / 2);
    return [
      ...(i.minutes === undefined ? [i.minute] : [i.minute, i.minute + i.minutes]).map((m) =>
        line([x(m), WORKERS.top], [x(m), bottom], INK, ' stroke-opacity="0.6" stroke-dasharray="2 3"'),
      ),
      `<circle cx="${n(at)}" cy="${WORKERS.top - 12}" r="10" fill="${INK}"/>`,
      text([at, WORKERS.top - 8], String(k + 1), ' text-anchor="middle" fill="#ffffff" font-weight="bold"'),
    ];
  });
  return { behind, above };
}

function legend(): string[] {
  let at = LEFT;
  const entry = (says: string, shape: (left: number) => string): string[] => {
    const left = at;
    at += 26 + says.length * 6.6;
    return [shape(left), text([left + 18, 66], says)];
  };
  const box =
    (colour: string) =>
    (left: number): string =>
      `<rect x="${n(left)}" y="56" width="12" height="12" rx="2" fill="${colour}"/>`;
  return [
    ...PHASES.flatMap((p) => entry(p, box(COLOUR[p]))),
    ...entry("jobs waiting", box("#fca5a5")),
    ...entry("jobs running", (left) => line([left, 62], [left + 12, 62], COLOUR.busy, ' stroke-width="2"')),
  ];
}

/** The whole picture as SVG text, always the same for the same day. */
export function draw(day: Day): string {
  const { behind, above } = incidents(day);
  const bottom = bottomOf(day);
  const height = bottom + 44 + day.incidents.length * 18 + 12;
  const max = WORKERS.top;
  const title = `A simulated day: ${day.jobs} jobs, ${day.min} to ${day.max} workers of two cores`;
  const again = `${day.startedOnce} jobs were started once, ${day.jobs - day.startedOnce} again after their host had died`;
  const sum = `${day.created} workers made in all; ${again}; the longest wait was ${Math.round(day.longestWaitMinutes)} minutes`;
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  const font = `font-family="Helvetica, Arial, sans-serif" font-size="12" fill="${INK}"`;
  const body = [
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text([LEFT, 28], title, ` font-size="18" font-weight="bold" fill="${INK}"`),
    text([LEFT, 46], sum, ` fill="${SOFT}"`),
    ...legend(),
    ...behind,
    ...axes(day),
    ...stack(day),
    line([LEFT, max], [WIDTH - RIGHT, max], INK, ' stroke-dasharray="5 4"'),
    text([WIDTH - RIGHT, max - 4], "maximum", ` text-anchor="end" fill="${SOFT}"`),
    text(
      [14, WORKERS.top + WORKERS.height / 2],
      "workers",
      ` text-anchor="middle" transform="rotate(-90 14 ${WORKERS.top + WORKERS.height / 2})"`,
    ),
    ...jobs(day),
    text([14, JOBS.top + JOBS.height / 2], "jobs", ` text-anchor="middle" transform="rotate(-90 14 ${JOBS.top + JOBS.height / 2})"`),
    text([LEFT, DECISIONS.top - 8], "What the controller did (a larger dot: several at once; closed: takes no new job)", ` fill="${SOFT}"`),
    ...decisions(day),
    ...above,
    ...day.incidents.flatMap((i, k) => [
      text([LEFT, bottom + 46 + k * 18], String(k + 1), ' font-weight="bold"'),
      text([LEFT + 18, bottom + 46 + k * 18], i.says),
    ]),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font} role="img">\n<title>${title}</title>\n${body.join("\n")}\n</svg>\n`;
}
