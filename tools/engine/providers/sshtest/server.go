// Package sshtest is an SSH server for tests: commands run with sh as the caller, files go over sftp, and it can be
// told to misbehave like a machine that is still starting.
package sshtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Server says who may come in, and listens until closed.
type Server struct {
	// AuthorizedKeys are asked at every login, so that a key may come later.
	AuthorizedKeys func() []byte
	// Password lets anyone in who knows it; empty: no passwords.
	Password string
	// RefuseEnv is a server whose AcceptEnv is empty.
	RefuseEnv bool
	// CutCommands ends the connection in the middle of every command.
	CutCommands bool

	HostKey  ssh.PublicKey
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
}

// Listen starts it on an address of this computer, such as 127.0.0.1:0.
func (s *Server) Listen(address string) (net.Addr, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	s.HostKey = signer.PublicKey()
	config := &ssh.ServerConfig{PublicKeyCallback: s.checkKey}
	if s.Password != "" {
		config.PasswordCallback = func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if string(given) == s.Password {
				return nil, nil
			}
			return nil, errors.New("wrong password")
		}
	}
	config.AddHostKey(signer)
	if s.listener, err = net.Listen("tcp", address); err != nil {
		return nil, err
	}
	s.conns = map[net.Conn]bool{}
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			go s.serve(conn, config)
		}
	}()
	return s.listener.Addr(), nil
}

// Close ends the server and every connection.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

func (s *Server) checkKey(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if s.AuthorizedKeys == nil {
		return nil, errors.New("no keys")
	}
	for data := s.AuthorizedKeys(); len(data) > 0; {
		known, _, _, rest, err := ssh.ParseAuthorizedKey(data)
		if err != nil {
			break
		}
		if bytes.Equal(known.Marshal(), key.Marshal()) {
			return nil, nil
		}
		data = rest
	}
	return nil, errors.New("unknown key")
}

func (s *Server) serve(conn net.Conn, config *ssh.ServerConfig) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		switch ch.ChannelType() {
		case "session":
			if channel, requests, err := ch.Accept(); err == nil {
				go s.session(conn, channel, requests)
			}
		case "direct-tcpip": // a jump host
			go forward(ch)
		default:
			_ = ch.Reject(ssh.UnknownChannelType, "only sessions and forwarding")
		}
	}
}

func forward(ch ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		FromHost string
		FromPort uint32
	}
	_ = ssh.Unmarshal(ch.ExtraData(), &to)
	target, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := ch.Accept()
	if err != nil {
		_ = target.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() { _, _ = io.Copy(target, channel); _ = target.Close() }()
	_, _ = io.Copy(channel, target)
	_ = channel.Close()
}

func (s *Server) session(conn net.Conn, channel ssh.Channel, requests <-chan *ssh.Request) {
	env := os.Environ()
	for r := range requests {
		var a struct{ Value string }
		switch r.Type {
		case "env":
			var e struct{ Name, Value string }
			_ = ssh.Unmarshal(r.Payload, &e)
			env = append(env, e.Name+"="+e.Value)
			_ = r.Reply(!s.RefuseEnv, nil)
		case "subsystem":
			_ = r.Reply(true, nil)
			if server, err := sftp.NewServer(channel); err == nil {
				go func() { _ = server.Serve(); _ = channel.Close() }()
			}
		case "exec":
			_ = ssh.Unmarshal(r.Payload, &a)
			_ = r.Reply(true, nil)
			if s.CutCommands {
				_, _ = channel.Write([]byte("begun\n"))
				_ = conn.Close()
				return
			}
			go execute(channel, a.Value, env)
		default:
			_ = r.Reply(false, nil)
		}
	}
}

func execute(channel ssh.Channel, script string, env []string) {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, channel, channel.Stderr()
	if in, err := cmd.StdinPipe(); err == nil {
		go func() { _, _ = io.Copy(in, channel); _ = in.Close() }()
	}
	code := 0
	if err := cmd.Run(); err != nil {
		code = 255
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() >= 0 {
			code = exit.ExitCode()
		}
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ N uint32 }{uint32(code)}))
	_ = channel.Close()
}
