package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

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
	commands := commandsOf(k.Model.Node)
	switch c.Shell {
	case "bash":
		bashScript(e, commands)
	case "zsh":
		zshScript(e, commands)
	default:
		fishScript(e, commands)
	}
	return nil
}

// completed is a command with what may follow it: its options, with a help each, and commands below it.
type completed struct {
	name, help string
	below      []string
	options    [][2]string
}

// commandsOf returns the commands that are shown, in the order of help.
func commandsOf(top *kong.Node) (all []completed) {
	for _, n := range top.Children {
		if n.Hidden {
			continue
		}
		c := completed{name: n.Name, help: n.Help}
		for _, child := range n.Children {
			c.below = append(c.below, child.Name)
		}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				c.options = append(c.options, [2]string{"--" + f.Name, f.Help})
			}
		}
		all = append(all, c)
	}
	return all
}

// choices are all words that may follow a command.
func (c completed) choices() string {
	all := append([]string(nil), c.below...)
	for _, o := range c.options {
		all = append(all, o[0])
	}
	return strings.Join(all, " ")
}

func namesOf(commands []completed) string {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	return strings.Join(names, " ")
}

func bashScript(e *environment, commands []completed) {
	e.printf(`# Completes tinykv in bash.
_tinykv() {
  local current="${COMP_WORDS[COMP_CWORD]}" words="%s" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
`, namesOf(commands))
	for _, c := range commands {
		e.printf("      %s) words=%q; break ;;\n", c.name, c.choices())
	}
	e.printf(`    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _tinykv tinykv
`)
}

func zshScript(e *environment, commands []completed) {
	e.printf("#compdef tinykv\n# Completes tinykv in zsh.\n_tinykv() {\n  local -a commands\n  commands=(\n")
	for _, c := range commands {
		e.printf("    %s\n", singleQuoted(c.name+":"+c.help))
	}
	e.printf("  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n  case \"$words[2]\" in\n")
	for _, c := range commands {
		e.printf("    %s) compadd -- %s ;;\n", c.name, c.choices())
	}
	e.printf("  esac\n  _files\n}\n_tinykv \"$@\"\n")
}

func fishScript(e *environment, commands []completed) {
	e.printf("# Completes tinykv in fish.\n")
	for _, c := range commands {
		e.printf("complete -c tinykv -n __fish_use_subcommand -f -a %s -d %s\n", c.name, singleQuoted(c.help))
		seen := singleQuoted("__fish_seen_subcommand_from " + c.name)
		for _, name := range c.below {
			e.printf("complete -c tinykv -n %s -f -a %s\n", seen, name)
		}
		for _, o := range c.options {
			e.printf("complete -c tinykv -n %s -l %s -d %s\n", seen, o[0][2:], singleQuoted(o[1]))
		}
	}
}

// singleQuoted is text as all three shells read it.
func singleQuoted(s string) string {
	return fmt.Sprintf("'%s'", strings.NewReplacer("'", "", `\`, "").Replace(s))
}
