package main

import (
	"errors"
	"io"

	"github.com/peterh/liner"
)

type shellCommand struct{}

// Run reads lines until the end of the input.
func (c *shellCommand) Run(e *environment) error {
	line := liner.NewLiner()
	defer line.Close()
	line.SetCtrlCAborts(true)
	for {
		text, err := line.Prompt("tinykv> ")
		if errors.Is(err, io.EOF) || errors.Is(err, liner.ErrPromptAborted) {
			return nil
		}
		if err != nil {
			return err
		}
		e.printf("%s\n", text)
	}
}
