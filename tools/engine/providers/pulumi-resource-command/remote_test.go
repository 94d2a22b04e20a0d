package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"engineplugins/sshtest"

	"golang.org/x/crypto/ssh"
)

// login is a fresh key: what the client holds and what the server knows.
func login(t *testing.T) (private string, public []byte) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "test")
	if err != nil {
		t.Fatal(err)
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), ssh.MarshalAuthorizedKey(sshPub)
}

func start(t *testing.T, s *sshtest.Server) float64 {
	t.Helper()
	address, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return float64(address.(*net.TCPAddr).Port)
}

// quick makes the pauses between attempts short.
func quick(t *testing.T) {
	first, longest := firstPause, longestPause
	firstPause, longestPause = 5*time.Millisecond, 20*time.Millisecond
	t.Cleanup(func() { firstPause, longestPause = first, longest })
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func server(t *testing.T, s *sshtest.Server) (connection map[string]any) {
	private, public := login(t)
	if s.AuthorizedKeys == nil {
		s.AuthorizedKeys = func() []byte { return public }
	}
	return map[string]any{"host": "127.0.0.1", "port": start(t, s), "user": "root", "privateKey": private, "dialErrorLimit": 10.0, "perDialTimeout": 5.0}
}

func mustContain(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q is not in: %v", p, err)
		}
	}
}

func TestRunsWithStdinAndEnvironment(t *testing.T) {
	in := props{"connection": server(t, &sshtest.Server{}), "stdin": "from stdin"}
	got, err := runRemote(within(t, 10*time.Second), `cat; echo " $GREETING"; echo aside >&2`, in, []string{"GREETING=hello"}, nil)
	if err != nil || got.stdout != "from stdin hello" || got.stderr != "aside" {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestIgnoresInputThatTheCommandDoesNotRead(t *testing.T) {
	in := props{"connection": server(t, &sshtest.Server{}), "stdin": strings.Repeat("x", 8<<20)}
	if got, err := runRemote(within(t, 10*time.Second), "echo done", in, nil, nil); err != nil || got.stdout != "done" {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestQuotesWhatTheServerSaidAndNothingSecret(t *testing.T) {
	in := props{"connection": server(t, &sshtest.Server{}), "stdin": "hunter2-stdin"}
	_, err := runRemote(within(t, 10*time.Second), "cat >/dev/null; echo 'no such queue' >&2; exit 7 # hunter2-script", in, []string{"TOKEN=hunter2-env"}, nil)
	mustContain(t, err, "exit code 7", "no such queue")
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "PRIVATE KEY") {
		t.Errorf("a secret is in: %v", err)
	}
	in["logging"] = "none"
	if _, err = runRemote(within(t, 10*time.Second), "echo hunter2-stdout; exit 1", in, nil, nil); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("standard output is quoted although logging is off: %v", err)
	}
}

func TestWaitsForAMachineThatStarts(t *testing.T) {
	quick(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	private, public := login(t)
	var keyThere atomic.Bool
	s := &sshtest.Server{AuthorizedKeys: func() []byte {
		if keyThere.Load() {
			return public
		}
		return nil
	}}
	go func() {
		time.Sleep(50 * time.Millisecond)
		if _, err := s.Listen(address); err != nil {
			t.Error(err)
		}
		time.Sleep(50 * time.Millisecond)
		keyThere.Store(true)
	}()
	_, port, _ := net.SplitHostPort(address)
	in := props{"connection": map[string]any{"host": "127.0.0.1", "port": atof(port), "privateKey": private, "dialErrorLimit": -1.0, "perDialTimeout": 5.0}}
	var said []string
	got, err := runRemote(within(t, 10*time.Second), "echo up", in, nil, func(line string) { said = append(said, line) })
	if err != nil || got.stdout != "up" {
		t.Fatalf("%+v %v", got, err)
	}
	if len(said) < 1 || !strings.Contains(said[0], "waiting for ssh at 127.0.0.1") {
		t.Errorf("said %q", said)
	}
	s.Close()
}

func TestRefusesAfterTheLimitOfAttempts(t *testing.T) {
	quick(t)
	c := server(t, &sshtest.Server{AuthorizedKeys: func() []byte { return nil }})
	c["dialErrorLimit"] = 2.0
	_, err := runRemote(within(t, 10*time.Second), "true", props{"connection": c}, nil, nil)
	mustContain(t, err, "as root, after 3 attempts", "unable to authenticate")
}

func TestRefusesASilentServerInTime(t *testing.T) {
	quick(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	private, _ := login(t)
	c := map[string]any{"host": "127.0.0.1", "port": float64(silent.Addr().(*net.TCPAddr).Port), "privateKey": private, "dialErrorLimit": 0.0, "perDialTimeout": 1.0}
	_, err = runRemote(within(t, 10*time.Second), "true", props{"connection": c}, nil, nil)
	mustContain(t, err, "after 1 attempts", "no answer to the ssh greeting")
}

func TestChecksTheHostKeyAndDoesNotTryAWrongOneAgain(t *testing.T) {
	s := &sshtest.Server{}
	c := server(t, s)
	c["hostKey"] = string(ssh.MarshalAuthorizedKey(s.HostKey))
	if _, err := runRemote(within(t, 10*time.Second), "true", props{"connection": c}, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, other := login(t)
	c["hostKey"] = string(other)
	_, err := runRemote(within(t, 10*time.Second), "true", props{"connection": c}, nil, nil)
	mustContain(t, err, "hostKey", "after 1 attempts")
}

func TestLogsInByPasswordAndThroughAProxy(t *testing.T) {
	inner := server(t, &sshtest.Server{})
	jump := &sshtest.Server{Password: "open sesame"}
	inner["proxy"] = map[string]any{"host": "127.0.0.1", "port": start(t, jump), "user": "root", "password": "open sesame", "dialErrorLimit": 0.0, "perDialTimeout": 5.0}
	got, err := runRemote(within(t, 10*time.Second), "echo through", props{"connection": inner}, nil, nil)
	if err != nil || got.stdout != "through" {
		t.Fatalf("%+v %v", got, err)
	}
	inner["proxy"].(map[string]any)["password"] = "wrong secret"
	_, err = runRemote(within(t, 10*time.Second), "true", props{"connection": inner}, nil, nil)
	mustContain(t, err, "proxy:")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in: %v", err)
	}
}

func TestSaysThatALostConnectionLeavesTheCommandInDoubt(t *testing.T) {
	_, err := runRemote(within(t, 10*time.Second), "sleep 60", props{"connection": server(t, &sshtest.Server{CutCommands: true})}, nil, nil)
	mustContain(t, err, "connection was lost")
}

func TestStopsWhenTheEngineSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	from := time.Now()
	_, err := runRemote(ctx, "sleep 5", props{"connection": server(t, &sshtest.Server{})}, nil, nil)
	mustContain(t, err, "stopped")
	if time.Since(from) > 4*time.Second {
		t.Error("it waited for the command")
	}
}

func TestNamesTheVariableThatTheServerRefuses(t *testing.T) {
	in := props{"connection": server(t, &sshtest.Server{RefuseEnv: true})}
	_, err := runRemote(within(t, 10*time.Second), "true", in, []string{"TOKEN=hunter2"}, nil)
	mustContain(t, err, "TOKEN", "AcceptEnv")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the value is in: %v", err)
	}
}

func TestCopiesAFileAndATree(t *testing.T) {
	dir := t.TempDir()
	tree, to := filepath.Join(dir, "tree"), filepath.Join(dir, "to")
	if err := os.MkdirAll(filepath.Join(tree, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "sub", "tool"), []byte("#!/bin/sh\n"), 0o750); err != nil {
		t.Fatal(err)
	}
	c := server(t, &sshtest.Server{})
	copyTo := func(source any, remote string) error {
		r := copying(func(in props) any { return in["source"] })
		_, _, err := r.Create(within(t, 10*time.Second), props{"connection": c, "source": source, "remotePath": remote}, nil)
		return err
	}
	if err := copyTo(map[string]any{sigKey: archiveSig, "path": tree}, to); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(to, "sub", "tool"))
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Fatalf("%v %v", info, err)
	}
	if err := copyTo(map[string]any{sigKey: assetSig, "text": "words"}, filepath.Join(to, "note")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(to, "note")); err != nil || string(data) != "words" {
		t.Fatalf("%q %v", data, err)
	}
	mustContain(t, copyTo(map[string]any{sigKey: assetSig, "text": "x"}, "/no/such/folder/note"), "/no/such/folder/note")
}

func TestCommandLifeKeepsSecretsOutOfChecksAndRunsUpdateAndDelete(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	r := command("remote", runRemote)
	in := props{"connection": server(t, &sshtest.Server{}), "create": "echo created >>" + log, "update": "echo updated after $PULUMI_COMMAND_STDOUT >>" + log + "; echo two", "delete": "echo deleted >>" + log}
	if failures := r.Check(in); len(failures) > 0 {
		t.Fatal(failures)
	}
	ctx := within(t, 20*time.Second)
	_, out, err := r.Create(ctx, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	out["stdout"] = "one"
	if out, err = r.Update(ctx, "id", out, in, nil); err != nil || out.String("stdout", "") != "two" {
		t.Fatalf("%v %v", out, err)
	}
	if err = r.Delete(ctx, "id", out, nil); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(log); string(data) != "created\nupdated after one\ndeleted\n" {
		t.Errorf("%q", data)
	}
	if failures := r.Check(props{"connection": map[string]any{}}); failures["connection"] == "" {
		t.Error("a connection without host passes")
	}
}

func atof(s string) float64 {
	n := 0.0
	for _, c := range s {
		n = n*10 + float64(c-'0')
	}
	return n
}
