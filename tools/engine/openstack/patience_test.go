package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud"
	osclient "github.com/gophercloud/utils/client"
	"github.com/terraform-provider-openstack/terraform-provider-openstack/openstack"
)

// answers gives the planned statuses, then 200; status 0 cuts the connection.
func answers(t *testing.T, header http.Header, plan ...int) (*gophercloud.ProviderClient, string, *int, *[]time.Duration) {
	calls, pauses := 0, []time.Duration{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		if calls > len(plan) {
			w.Write([]byte("{}"))
			return
		}
		if plan[calls-1] == 0 {
			panic(http.ErrAbortHandler)
		}
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(plan[calls-1])
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	client := &gophercloud.ProviderClient{}
	client.RetryFunc = retry(func(pause time.Duration) <-chan time.Time {
		pauses = append(pauses, pause)
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	})
	return client, server.URL, &calls, &pauses
}

func TestRepeats(t *testing.T) {
	after := http.Header{"Retry-After": {"7"}}
	for _, c := range []struct {
		says, method, path string
		header             http.Header
		plan               []int
		calls              int
		ok                 bool
	}{
		{"a read through every passing failure", "GET", "/servers", nil, []int{500, 502, 503, 504, 0}, 6, true},
		{"a read six times and no more", "GET", "/servers", nil, []int{500, 500, 500, 500, 500, 500, 500}, 6, false},
		{"a delete", "DELETE", "/servers/1", nil, []int{503, 0}, 3, true},
		{"logging in", "POST", "/v3/auth/tokens", nil, []int{503, 0}, 3, true},
		{"no create, which may have been done", "POST", "/servers", nil, []int{503}, 1, false},
		{"no create whose connection was cut", "POST", "/servers", nil, []int{0}, 1, false},
		{"no change of a router", "PUT", "/routers/1/add_router_interface", nil, []int{502}, 1, false},
		{"a create that was refused as one too many", "POST", "/servers", after, []int{429}, 2, true},
		{"nothing that is refused for good", "GET", "/servers/1", nil, []int{404}, 1, false},
		{"no wrong password", "POST", "/v3/auth/tokens", nil, []int{401}, 1, false},
		{"no conflict", "DELETE", "/networks/1", nil, []int{409}, 1, false},
	} {
		t.Run(c.says, func(t *testing.T) {
			client, base, calls, _ := answers(t, c.header, c.plan...)
			_, err := client.Request(c.method, base+c.path, &gophercloud.RequestOpts{OkCodes: []int{200}})
			if *calls != c.calls || (err == nil) != c.ok {
				t.Errorf("%d calls, %v", *calls, err)
			}
		})
	}
}

func TestPauses(t *testing.T) {
	client, base, _, pauses := answers(t, http.Header{"Retry-After": {"7"}}, 503, 503)
	if _, err := client.Request("GET", base, &gophercloud.RequestOpts{}); err != nil || len(*pauses) != 2 || (*pauses)[0] != 7*time.Second {
		t.Errorf("not as long as the API asked: %v %v", *pauses, err)
	}
	client, base, _, pauses = answers(t, http.Header{"Retry-After": {"3600"}}, 503, 500)
	if _, err := client.Request("GET", base, &gophercloud.RequestOpts{}); err != nil || (*pauses)[0] != longestPause {
		t.Errorf("longer than the longest pause: %v %v", *pauses, err)
	}
	client, base, _, pauses = answers(t, nil, 500, 500, 500)
	if _, err := client.Request("GET", base, &gophercloud.RequestOpts{}); err != nil || (*pauses)[2] != 4*shortestPause {
		t.Errorf("pauses do not grow: %v %v", *pauses, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never := func(time.Duration) <-chan time.Time { return nil }
	failure := gophercloud.ErrDefault503{ErrUnexpectedResponseCode: gophercloud.ErrUnexpectedResponseCode{Actual: 503}}
	if err := retry(never)(ctx, "GET", "http://x/", &gophercloud.RequestOpts{}, failure, 1); err == nil {
		t.Error("waits on after it was told to end")
	}
}

func TestWaitsEnd(t *testing.T) {
	silent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer server.Close()
	defer close(silent)
	inner := &http.Transport{}
	limitWaits(&osclient.RoundTripper{Rt: inner})
	if inner.ResponseHeaderTimeout != answerLimit || inner.DialContext == nil {
		t.Fatalf("no limits: %v", inner.ResponseHeaderTimeout)
	}
	inner.ResponseHeaderTimeout = 50 * time.Millisecond
	client := &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: &osclient.RoundTripper{Rt: inner}}}
	if _, err := client.Request("POST", server.URL, &gophercloud.RequestOpts{}); err == nil {
		t.Error("waits on for an answer")
	}
}

func TestEveryResourceCanBeFinished(t *testing.T) {
	tf := openstack.Provider()
	finishByReading(tf)
	for name, r := range tf.ResourcesMap {
		// One that is still written for the plugin SDK's first version (a DNS transfer) has no ReadContext: left as it is.
		if r.ReadContext != nil && r.UpdateContext == nil && r.Update == nil && r.UpdateWithoutTimeout == nil {
			t.Errorf("%s refuses an update", name)
		}
	}
}
