package client

import "time"

// Clip is what the tests see of clip.
var Clip = clip

// LookEvery lets a Watch look more often than users want to wait for in a test.
func (c *Client) LookEvery(d time.Duration) { c.lookEvery = d }
