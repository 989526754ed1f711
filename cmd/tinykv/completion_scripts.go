package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// completed is what the scripts know: the options that stand before any command, and the commands that are shown, in the order of help.
type completed struct {
	options  []completedOption
	commands []completedCommand
}

// completedCommand is a command with its options, those of all commands among them.
type completedCommand struct {
	name, help string
	options    []completedOption
	arguments  string // what the arguments may be, if that is known
	takesFile  bool
}

// completedOption is an option, with what may follow it.
type completedOption struct {
	name, short, help string // with their dashes
	takes             bool   // it has an argument
	choices           string // which may be these, with spaces between
	isDir             bool   // which is a directory
}

func completedOf(top *kong.Node) (all completed) {
	all.options = optionsOf(top)
	for _, n := range top.Children {
		if n.Hidden {
			continue
		}
		c := completedCommand{name: n.Name, help: n.Help, options: optionsOf(n)}
		for _, arg := range n.Positional {
			c.arguments = strings.TrimSpace(c.arguments + " " + choicesOf(arg))
			c.takesFile = c.takesFile || arg.Name == "file" || arg.Tag.Get("complete") == "dir"
		}
		all.commands = append(all.commands, c)
	}
	return all
}

func optionsOf(n *kong.Node) (all []completedOption) {
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			o := completedOption{name: "--" + f.Name, help: f.Help, takes: !f.IsBool(), choices: choicesOf(f.Value), isDir: f.Tag.Get("complete") == "dir"}
			if f.Short != 0 {
				o.short = "-" + string(f.Short)
			}
			all = append(all, o)
		}
	}
	return all
}

// choicesOf are the values that something may have, if they are few.
func choicesOf(v *kong.Value) string {
	list := v.Enum
	if list == "" && v.Tag.Get("complete") != "dir" {
		list = v.Tag.Get("complete")
	}
	return strings.TrimSpace(strings.ReplaceAll(list, ",", " "))
}

func namesOf(options []completedOption) string {
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	return strings.Join(names, " ")
}

func (all completed) names() string {
	var names []string
	for _, c := range all.commands {
		names = append(names, c.name)
	}
	return strings.Join(names, " ")
}

// pattern matches a command and an option of it in front of a value, in both shells that have case. One that can do without has its value only behind =.
func (o completedOption) pattern(command string) string {
	p := fmt.Sprintf("%q", command+" "+o.name+"=")
	if o.takes {
		p += fmt.Sprintf("|%q", command+" "+o.name)
	}
	if o.takes && o.short != "" {
		p += fmt.Sprintf("|%q", command+" "+o.short)
	}
	return p
}

// skipping matches the options before a command that have a value.
func (all completed) skipping() string {
	var names []string
	for _, o := range all.options {
		if o.takes {
			names = append(names, o.name)
		}
		if o.takes && o.short != "" {
			names = append(names, o.short)
		}
	}
	return strings.Join(names, "|")
}

// values writes the cases for what follows an option.
func (all completed) values(e *environment, choose, dirs, files string) {
	write := func(command string, options []completedOption) {
		for _, o := range options {
			switch {
			case o.choices != "":
				e.printf("    %s) %s ;;\n", o.pattern(command), fmt.Sprintf(choose, o.choices))
			case o.isDir:
				e.printf("    %s) %s ;;\n", o.pattern(command), dirs)
			case o.takes:
				e.printf("    %s) %s ;;\n", o.pattern(command), files)
			}
		}
	}
	write("", all.options)
	for _, c := range all.commands {
		write(c.name, c.options)
	}
}

// words writes the cases for what follows a command.
func (all completed) words(e *environment, choose string) {
	for _, c := range all.commands {
		words := namesOf(c.options)
		switch {
		case c.arguments != "":
			e.printf("    %s) if [[ \"$current\" == -* ]]; then %s; else %s; fi ;;\n", c.name, fmt.Sprintf(choose, words), fmt.Sprintf(choose, c.arguments))
		case c.takesFile:
			e.printf("    %s) if [[ \"$current\" == -* ]]; then %s; fi ;;\n", c.name, fmt.Sprintf(choose, words))
		default:
			e.printf("    %s) %s ;;\n", c.name, fmt.Sprintf(choose, words))
		}
	}
}

// bash divides words at = by itself. What nothing is known of are names of files.
func (all completed) bash(e *environment) {
	e.printf(`# Completes tinykv in bash.
_tinykv() {
  local current="${COMP_WORDS[COMP_CWORD]}" option="${COMP_WORDS[COMP_CWORD - 1]}" command="" words="" i
  COMPREPLY=()
  if [[ "$current" == "=" ]]; then
    current="" option="$option="
  elif [[ "$option" == "=" ]]; then
    option="${COMP_WORDS[COMP_CWORD - 2]}="
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
    %s) i=$((i + 1)); if [[ "${COMP_WORDS[i]}" == "=" ]]; then i=$((i + 1)); fi ;;
    -*) ;;
    *) command="${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "$command $option" in
`, all.skipping())
	all.values(e, `COMPREPLY=($(compgen -W %q -- "$current")); return`, `compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); return`, "return")
	e.printf("  esac\n  case \"$command\" in\n")
	all.words(e, "words=%q")
	e.printf(`    "") if [[ "$current" == -* ]]; then words=%q; else words=%q; fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _tinykv tinykv
`, namesOf(all.options), all.names())
}

func (all completed) zsh(e *environment) {
	e.printf(`#compdef tinykv
# Completes tinykv in zsh.
_tinykv() {
  local -a commands
  local current="$words[CURRENT]" option="$words[CURRENT-1]" command="" i
  for ((i = 2; i < CURRENT; i++)); do
    case "$words[i]" in
    %s) ((i++)) ;;
    -*) ;;
    *) command="$words[i]"; break ;;
    esac
  done
  if [[ "$current" == --*=* ]]; then
    option="${current%%%%=*}="
    compset -P '*='
  fi
  case "$command $option" in
`, all.skipping())
	all.values(e, "compadd -- %s; return", "_files -/; return", "_files; return")
	e.printf("  esac\n  commands=(\n")
	for _, c := range all.commands {
		e.printf("    %s\n", singleQuoted(c.name+":"+c.help))
	}
	e.printf("  )\n  case \"$command\" in\n")
	all.words(e, "compadd -- %s")
	e.printf("    \"\") if [[ \"$current\" == -* ]]; then compadd -- %s; else _describe command commands; return; fi ;;\n", namesOf(all.options))
	e.printf("  esac\n  _files\n}\n_tinykv \"$@\"\n")
}

func (all completed) fish(e *environment) {
	e.printf("# Completes tinykv in fish.\n")
	option := func(when string, o completedOption) {
		e.printf("complete -c tinykv -n %s -l %s", when, o.name[2:])
		if o.short != "" {
			e.printf(" -s %s", o.short[1:])
		}
		switch {
		case o.choices != "" && o.takes:
			e.printf(" -x -a %s", singleQuoted(o.choices))
		case o.isDir:
			e.printf(" -x -a '(__fish_complete_directories)'")
		case o.takes:
			e.printf(" -r")
		}
		e.printf(" -d %s\n", singleQuoted(o.help))
	}
	for _, o := range all.options {
		option("__fish_use_subcommand", o)
	}
	for _, c := range all.commands {
		e.printf("complete -c tinykv -n __fish_use_subcommand -f -a %s -d %s\n", c.name, singleQuoted(c.help))
		seen := singleQuoted("__fish_seen_subcommand_from " + c.name)
		if c.arguments != "" {
			e.printf("complete -c tinykv -n %s -f -a %s\n", seen, singleQuoted(c.arguments))
		}
		for _, o := range c.options {
			option(seen, o)
		}
	}
}

// singleQuoted is text as all three shells read it.
func singleQuoted(s string) string {
	return fmt.Sprintf("'%s'", strings.NewReplacer("'", "", `\`, "").Replace(s))
}
