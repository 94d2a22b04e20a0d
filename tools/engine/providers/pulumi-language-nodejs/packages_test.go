package main

import (
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindsProvidersHoweverDeep(t *testing.T) {
	dir := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	write(t, at("program", "package.json"), `{"dependencies":{"library":"1","absent":"1"},"devDependencies":{"@pulumi/command":"1"}}`)
	write(t, at("program", "node_modules", "@pulumi", "command", "package.json"), `{"version":"1.2.1","pulumi":{"resource":true,"name":"command","version":"1.2.1"}}`)
	// A linked library with its own copy of a provider, a circle, and a provider for its developers only.
	write(t, at("library", "package.json"), `{"version":"1.0.0","dependencies":{"@pulumi/random":"4","circle":"1"},"devDependencies":{"@pulumi/tls":"5"}}`)
	write(t, at("library", "node_modules", "@pulumi", "random", "package.json"), `{"version":"v4.21.2","pulumi":{"resource":true}}`)
	write(t, at("library", "node_modules", "@pulumi", "tls", "package.json"), `{"version":"5.0.0","pulumi":{"resource":true}}`)
	write(t, at("library", "node_modules", "circle", "package.json"), `{"version":"1.0.0","dependencies":{"circle":"1"}}`)
	if err := os.Symlink(at("library"), at("program", "node_modules", "library")); err != nil {
		t.Fatal(err)
	}
	write(t, at("program", "dist", "stacks", "index.js"), "")
	got := ""
	for _, p := range requiredPackages(at("program", "dist", "stacks")) {
		got += p.Kind + " " + p.Name + " " + p.Version + "\n"
	}
	if want := "resource command 1.2.1\nresource random 4.21.2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAsksForNothingOutsideAPackage(t *testing.T) {
	if got := requiredPackages(t.TempDir()); len(got) != 0 {
		t.Error(got)
	}
}
