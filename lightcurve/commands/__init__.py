"""The command line's verbs: parse, call one function, print."""
