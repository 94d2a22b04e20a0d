// pulumi-resource-command, the connection: how a machine is reached while it may still be starting.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"engineplugins/base"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func checkConnection(in props) map[string]string {
	failures := map[string]string{}
	if in["connection"] == base.Unknown {
		return failures
	}
	c := in.Map("connection")
	if c["host"] == nil {
		failures["connection"] = "needs a host"
		return failures
	}
	for _, part := range []props{c, c.Map("proxy")} {
		if part != nil {
			part.Default(props{"port": 22.0, "user": "root", "dialErrorLimit": 10.0, "perDialTimeout": 15.0})
		}
	}
	return failures
}

// connection is a client, the clients it goes through, and a watch over them.
type connection struct {
	*ssh.Client
	close []func()
	once  sync.Once
}

// Close ends it, innermost first; a cancelled call and its own end both ask for it.
func (c *connection) Close() {
	c.once.Do(func() {
		for i := len(c.close) - 1; i >= 0; i-- {
			c.close[i]()
		}
	})
}

// Pauses between attempts, growing; a variable so that tests need not wait.
var firstPause, longestPause = time.Second, 15 * time.Second

// dial opens a connection, again and again while a machine is still starting. A refused key counts as starting too:
// a server may answer before the first boot has written its keys. A wrong host key does not: that is another machine.
func dial(ctx context.Context, c props, log base.Log) (*connection, error) {
	result := &connection{}
	if proxy := c.Map("proxy"); proxy != nil {
		through, err := dial(ctx, proxy, log)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		result.Client, result.close = through.Client, []func(){through.Close}
	}
	config, done, err := clientConfig(c)
	if err != nil {
		result.Close()
		return nil, err
	}
	defer done()
	address := net.JoinHostPort(c.String("host", ""), strconv.Itoa(c.Int("port", 22)))
	limit, pause := c.Int("dialErrorLimit", 10), firstPause
	for n := 0; ; n++ {
		client, err := dialOnce(ctx, result.Client, address, config)
		if err == nil {
			result.Client = client
			result.close = append(result.close, func() { _ = client.Close() }, keepAlive(client))
			return result, nil
		}
		var wrong *hostKeyError
		if ctx.Err() != nil || errors.As(err, &wrong) || (limit >= 0 && n >= limit) {
			result.Close()
			return nil, fmt.Errorf("no ssh connection to %s as %s, after %d attempts: %w", address, config.User, n+1, err)
		}
		if n == 0 && log != nil {
			log(fmt.Sprintf("waiting for ssh at %s (%v)", address, err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// dialOnce connects and shakes hands within the time limit of one attempt, also through a proxy, whose connections
// know no deadlines.
func dialOnce(ctx context.Context, through *ssh.Client, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	if config.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, config.Timeout)
		defer cancel()
	}
	var conn net.Conn
	var err error
	if through != nil {
		conn, err = through.DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if !stop() && err == nil { // the limit was reached in the last moment: the connection is closed already
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		if cause := ctx.Err(); cause != nil {
			err = fmt.Errorf("no answer to the ssh greeting: %w", cause)
		}
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

// How often a silent machine is asked whether it is there, and how often it may not answer.
var keepAliveEvery, keepAliveMisses = 15 * time.Second, 4

// keepAlive closes a connection whose other end is gone without a word; a command on it would never end.
func keepAlive(client *ssh.Client) (stop func()) {
	stopped := make(chan struct{})
	answers := make(chan error, 1)
	go func() {
		asked, missed := false, 0
		for {
			select {
			case <-stopped:
				return
			case <-answers:
				asked, missed = false, 0
			case <-time.After(keepAliveEvery):
				if asked {
					if missed++; missed >= keepAliveMisses {
						_ = client.Close()
						return
					}
					continue
				}
				asked = true
				go func() {
					_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
					select {
					case answers <- err:
					case <-stopped:
					}
				}()
			}
		}
	}()
	return func() { close(stopped) }
}

// hostKeyError is a machine with another key than the one that was declared.
type hostKeyError struct{ err error }

func (e *hostKeyError) Error() string { return "hostKey: " + e.err.Error() }
func (e *hostKeyError) Unwrap() error { return e.err }

func clientConfig(c props) (config *ssh.ClientConfig, done func(), err error) {
	done = func() {}
	config = &ssh.ClientConfig{
		User:            c.String("user", "root"),
		Timeout:         time.Duration(c.Int("perDialTimeout", 15)) * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // documented: without hostKey it is not checked
	}
	if s := c.String("hostKey", ""); s != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
		if err != nil {
			return nil, done, fmt.Errorf("hostKey: %w", err)
		}
		check := ssh.FixedHostKey(key)
		config.HostKeyAlgorithms = hostKeyAlgorithms(key.Type())
		config.HostKeyCallback = func(name string, remote net.Addr, got ssh.PublicKey) error {
			if err := check(name, remote, got); err != nil {
				return &hostKeyError{err}
			}
			return nil
		}
	}
	if s := c.String("privateKey", ""); s != "" {
		var signer ssh.Signer
		if p := c.String("privateKeyPassword", ""); p != "" {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(s), []byte(p))
		} else {
			signer, err = ssh.ParsePrivateKey([]byte(s))
		}
		if err != nil {
			return nil, done, fmt.Errorf("privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if s := c.String("password", ""); s != "" {
		config.Auth = append(config.Auth, ssh.Password(s), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = s
				}
				return answers, nil
			}))
	}
	if s := c.String("agentSocketPath", os.Getenv("SSH_AUTH_SOCK")); s != "" {
		if conn, err := net.Dial("unix", s); err == nil {
			done = func() { _ = conn.Close() }
			config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
		}
	}
	return config, done, nil
}

// hostKeyAlgorithms makes the server show the key of the declared type: it has several.
func hostKeyAlgorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}
