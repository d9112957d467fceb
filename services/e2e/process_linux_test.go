package e2e

import (
	"os/exec"
	"syscall"
)

// bindToParent has the kernel kill the process when the test dies without cleaning up.
func bindToParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
