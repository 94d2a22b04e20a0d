package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// requiredPackages walks the installed packages as node resolves them, from a program's folder, each once. What is not
// installed is left out: the program's own import of it says so better.
func requiredPackages(programDir string) []*rpc.PackageDependency {
	type place struct {
		dir     string
		program bool
	}
	var found []*rpc.PackageDependency
	seenDirs, seenProviders := map[string]bool{}, map[string]bool{}
	top := find(programDir, "package.json")
	if top == "" {
		return nil
	}
	for todo := []place{{filepath.Dir(top), true}}; len(todo) > 0; todo = todo[1:] {
		here := todo[0]
		m := readPackage(filepath.Join(here.dir, "package.json"))
		for _, name := range sortedKeys(m.direct(here.program)) {
			file := find(here.dir, "node_modules", name, "package.json")
			if file == "" {
				continue
			}
			dir := filepath.Dir(file)
			if real, err := filepath.EvalSymlinks(dir); err == nil { // a linked package finds its own from where it really is
				dir = real
			}
			if seenDirs[dir] {
				continue
			}
			seenDirs[dir] = true
			todo = append(todo, place{dir: dir})
			if p := readPackage(file); p.Pulumi.Resource {
				dep := p.provider(name)
				if key := dep.Name + " " + dep.Version; !seenProviders[key] {
					seenProviders[key] = true
					found = append(found, dep)
				}
			}
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name+found[i].Version < found[j].Name+found[j].Version })
	return found
}

func (m manifest) provider(packageName string) *rpc.PackageDependency {
	dep := &rpc.PackageDependency{Kind: "resource", Name: m.Pulumi.Name, Version: m.Pulumi.Version, Server: m.Pulumi.Server}
	if dep.Name == "" {
		dep.Name = strings.TrimPrefix(packageName, "@pulumi/")
	}
	if dep.Version == "" {
		dep.Version = strings.TrimPrefix(m.Version, "v")
	}
	return dep
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// find looks for a file in a folder and the folders above it.
func find(dir string, parts ...string) string {
	for {
		path := filepath.Join(append([]string{dir}, parts...)...)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

type manifest struct {
	Version                                             string
	Dependencies, DevDependencies, OptionalDependencies map[string]string
	Pulumi                                              struct {
		Resource              bool
		Name, Version, Server string
	}
}

func readPackage(path string) (m manifest) {
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &m)
	}
	return m
}

// direct are the dependencies of a package; development ones are installed for the program itself only.
func (m manifest) direct(program bool) map[string]string {
	out := map[string]string{}
	sets := []map[string]string{m.OptionalDependencies, m.Dependencies}
	if program {
		sets = append(sets, m.DevDependencies)
	}
	for _, set := range sets {
		for k, v := range set {
			out[k] = v
		}
	}
	return out
}
