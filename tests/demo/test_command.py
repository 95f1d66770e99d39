from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from edge_agent.demo.command import add_arguments


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return parser.parse_args(words)


def test_brokers_are_named_by_host_and_port() -> None:
    assert parse("--mqtt", "broker.local:1883").mqtt == ("broker.local", 1883)
    assert parse("--mqtt", "[::1]:8883").mqtt == ("::1", 8883)
    assert parse().mqtt is None


@pytest.mark.parametrize(
    "words",
    [
        ("--mqtt", "broker"),
        ("--mqtt", ":1883"),
        ("--mqtt", "broker:0"),
        ("--mqtt", "broker:65536"),
        ("--speed", "0"),
        ("--speed", "nan"),
        ("--speed", "inf"),
        ("--minutes", "-1"),
        ("--minutes", "soon"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, str]) -> None:
    with pytest.raises(argparse.ArgumentError):
        parse(*words)


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


def test_a_missing_extra_is_named_with_the_command_that_installs_it() -> None:
    result = python(
        "import argparse, sys\n"
        "sys.modules['amqtt'] = sys.modules['bumble'] = None\n"  # as where they are not installed
        "from edge_agent.demo.command import add_arguments, run\n"
        "parser = argparse.ArgumentParser()\n"
        "add_arguments(parser)\n"
        "sys.exit(run(parser.parse_args([])))\n"
    )
    assert result.returncode == 1
    assert f"{sys.executable} -m pip install 'heartline[demo]'" in result.stderr


def test_offering_the_command_loads_nothing_of_the_demo() -> None:
    result = python(
        "import sys, edge_agent.demo.command\n"
        "print(*({m.partition('.')[0] for m in sys.modules} & {'amqtt', 'bleak', 'bumble', 'numpy', 'paho'}))\n"
    )
    assert (result.returncode, result.stdout.strip()) == (0, "")
