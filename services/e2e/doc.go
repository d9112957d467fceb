// Package e2e breaks the suite on purpose, from outside. Its tests run the services as they are installed, as processes of their own on a
// NATS server of their own, kill them with SIGKILL at exact moments, and then look at the stores: every correlation ID that a client was
// told has exactly one result, nothing is left over, and the backends were called as often as their policy allows.
//
//	client (the test) ---------------------------------+
//	gateway, correlator, adapter ---> proxy, one each ---> nats-server
//	        |                         kills its process when the n-th message of a kind passes: before it has passed, or after
//	        +---> backend (the test)
//
// The other tests need no crash and run the same services in this process.
package e2e
