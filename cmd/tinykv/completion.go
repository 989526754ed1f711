package main

import (
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

type versionCommand struct {
	JSON bool `name:"json" help:"As JSON."`
}

// Run tells what this program is.
func (c *versionCommand) Run(e *environment) error {
	if !c.JSON {
		e.printf("%s\n", version())
		return nil
	}
	v := map[string]string{"version": "unknown", "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v["version"] = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v["revision"] = s.Value
			}
		}
	}
	return e.json(v)
}

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help tells what to do with what is printed.
func (c *completionCommand) Help() string {
	return `What is printed goes where your shell looks for it:

  tinykv completion bash > ~/.local/share/bash-completion/completions/tinykv
  tinykv completion zsh > "${fpath[1]}/_tinykv"
  tinykv completion fish > ~/.config/fish/completions/tinykv.fish`
}

// Run prints a script that completes commands and their options.
func (c *completionCommand) Run(e *environment, k *kong.Context) error {
	all := completedOf(k.Model.Node)
	switch c.Shell {
	case "bash":
		all.bash(e)
	case "zsh":
		all.zsh(e)
	default:
		all.fish(e)
	}
	return nil
}
