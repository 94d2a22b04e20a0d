package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud"
	osclient "github.com/gophercloud/utils/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-provider-openstack/terraform-provider-openstack/openstack"
)

// Terraform's provider gives up at the first 500 or 503 of any call, waits for ever for an API that accepts a call and
// never answers, and remembers a failed log-in: until the plugin ends, every later call then fails with the same words,
// so nobody above it can retry. Here calls that may be repeated without harm are: reads, deletes, logging in. A POST is
// not, since only the program above can look for what the lost one made.
const (
	tries         = 6
	connectLimit  = 15 * time.Second
	answerLimit   = 5 * time.Minute // an image that was just sent may be hashed and stored before glance answers
	longestPause  = 30 * time.Second
	shortestPause = 500 * time.Millisecond
)

// makePatient wraps the provider's configuration, after which the client exists and has not yet logged in.
func makePatient(tf *schema.Provider) {
	configure := tf.ConfigureContextFunc
	tf.ConfigureContextFunc = func(ctx context.Context, d *schema.ResourceData) (interface{}, diag.Diagnostics) {
		meta, diags := configure(ctx, d)
		if config, ok := meta.(*openstack.Config); ok && config.OsClient != nil {
			config.OsClient.RetryFunc = retry(time.After)
			limitWaits(config.OsClient.HTTPClient.Transport)
		}
		return meta, diags
	}
}

// finishByReading helps a resource that was made but could not be read back: Pulumi records it as half made and updates it
// at the next run, which a resource without any changeable property refuses, every time. To read it is all that is left to do.
func finishByReading(tf *schema.Provider) {
	for _, r := range tf.ResourcesMap {
		if r.UpdateContext == nil && r.Update == nil && r.UpdateWithoutTimeout == nil && r.ReadContext != nil {
			read := r.ReadContext
			r.UpdateContext = func(ctx context.Context, d *schema.ResourceData, meta interface{}) diag.Diagnostics {
				return read(ctx, d, meta)
			}
		}
	}
}

func limitWaits(transport http.RoundTripper) {
	if outer, ok := transport.(*osclient.RoundTripper); ok {
		if inner, ok := outer.Rt.(*http.Transport); ok {
			inner.DialContext = (&net.Dialer{Timeout: connectLimit, KeepAlive: 30 * time.Second}).DialContext
			inner.ResponseHeaderTimeout = answerLimit
		}
	}
}

// retry decides after each failed call: nil repeats it, an error is the caller's.
func retry(after func(time.Duration) <-chan time.Time) gophercloud.RetryFunc {
	return func(ctx context.Context, method, url string, options *gophercloud.RequestOpts, err error, failed uint) error {
		passing, asked := isPassing(err)
		if failed >= tries || !passing || options.RawBody != nil || !(isRepeatable(method, url) || isRefusedEarly(err)) {
			return err
		}
		pause := shortestPause << (failed - 1)
		if asked > pause {
			pause = asked
		}
		if pause > longestPause {
			pause = longestPause
		}
		if ctx == nil {
			ctx = context.Background()
		}
		select {
		case <-after(pause):
			return nil
		case <-ctx.Done():
			return err
		}
	}
}

func isRepeatable(method, url string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete:
		return true
	case http.MethodPost:
		return strings.HasSuffix(url, "/auth/tokens")
	}
	return false
}

// isRefusedEarly tells the answer that says by itself that nothing was done.
func isRefusedEarly(err error) bool {
	answer, ok := answerOf(err)
	return ok && answer.Actual == http.StatusTooManyRequests
}

// isPassing tells failures that go away by themselves, and the pause that the API asks for.
func isPassing(err error) (bool, time.Duration) {
	answer, ok := answerOf(err)
	if !ok {
		var network net.Error // no answer at all: refused, cut, timed out
		return errors.As(err, &network) && !errors.Is(err, context.Canceled), 0
	}
	switch answer.Actual {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, bad := strconv.ParseUint(answer.ResponseHeader.Get("Retry-After"), 10, 16)
		if bad != nil {
			return true, 0
		}
		return true, time.Duration(seconds) * time.Second
	}
	return false, 0
}

// answerOf unpacks gophercloud's errors, each of which holds the answer by value.
func answerOf(err error) (gophercloud.ErrUnexpectedResponseCode, bool) {
	switch e := err.(type) {
	case gophercloud.ErrUnexpectedResponseCode:
		return e, true
	case gophercloud.ErrDefault429:
		return e.ErrUnexpectedResponseCode, true
	case gophercloud.ErrDefault500:
		return e.ErrUnexpectedResponseCode, true
	case gophercloud.ErrDefault502:
		return e.ErrUnexpectedResponseCode, true
	case gophercloud.ErrDefault503:
		return e.ErrUnexpectedResponseCode, true
	case gophercloud.ErrDefault504:
		return e.ErrUnexpectedResponseCode, true
	}
	return gophercloud.ErrUnexpectedResponseCode{}, false
}
