"""Runs a program at a terminal of its own, as a shell does, and says how it leaves the terminal.

    at_terminal.py STEP... -- PROGRAM [ARGUMENT...]

A step is `WORDS|text:LINE`, `WORDS|signal:NAME` or `WORDS|keep:FILE`: once WORDS were shown, the line is typed, the program gets the
signal, or the next line that is not empty is written to the file.
Where the signal stops the program, it is continued. Prints one JSON object per line: `asked` with each step, `stopped`,
`ended` with the exit code (negative: killed by a signal), each with `echo`: is shown what is typed?
"""

import json
import os
import pathlib
import signal
import sys
import termios


def echo(descriptor):
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


def lead(program, report):
    """The shell's part: it outlives the program, since a terminal is reset when its session ends."""
    child = os.posix_spawn(program[0], program, os.environ)
    say = lambda **what: os.write(report, (json.dumps(what) + "\n").encode())
    say(pid=child)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            say(event="stopped", echo=echo(0))
            continue
        say(event="ended", code=os.waitstatus_to_exitcode(status), echo=echo(0))
        return


def main():
    at = sys.argv.index("--")
    steps, program = sys.argv[1:at], sys.argv[at + 1 :]
    master, slave = os.openpty()
    reports, report = os.pipe()
    leader = os.fork()
    if leader == 0:
        os.close(master)
        os.login_tty(slave)
        lead(program, report)
        os._exit(0)
    os.close(slave)
    os.close(report)
    reports = os.fdopen(reports)
    child = json.loads(reports.readline())["pid"]
    shown = b""
    for step in steps:
        words, _, act = step.rpartition("|")
        while words.encode() not in shown:
            shown += os.read(master, 4096)
        shown = shown.split(words.encode(), 1)[1]
        print(json.dumps({"event": "asked", "echo": echo(master)}))
        kind, _, what = act.partition(":")
        if kind == "text":
            os.write(master, what.encode() + b"\n")
            continue
        if kind == "keep":
            while b"\n" not in shown.lstrip():
                shown += os.read(master, 4096)
            pathlib.Path(what).write_bytes(shown.lstrip().splitlines()[0])
            continue
        os.kill(child, getattr(signal, "SIG" + what))
        if what == "TSTP":
            print(reports.readline(), end="")
            os.kill(child, signal.SIGCONT)
    try:
        while os.read(master, 4096):
            pass
    except OSError:
        pass  # the terminal's end
    print(reports.read(), end="")
    os.waitpid(leader, 0)


main()
