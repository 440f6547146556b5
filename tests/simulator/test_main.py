import json
import signal
import subprocess
import sys
import urllib.request

import pytest

from archiver.simulator.__main__ import build_settings, read_options
from archiver.simulator.truth import read_rows


def test_the_command_says_where_it_serves_and_ends_on_sigterm():
    command = [sys.executable, "-m", "archiver.simulator", "--servers", "3", "--seed", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as served:
        assert served.stdout is not None
        said = json.loads(served.stdout.readline())
        headers = {"Authorization": f"Bearer {said['api_key']}", "Accept": "application/json"}
        request = urllib.request.Request(f"{said['url']}/api/client", headers=headers)
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["meta"]["pagination"]["total"] == 3
        served.send_signal(signal.SIGTERM)
        rest, errors = served.communicate(timeout=20)
    assert (served.returncode, rest, errors) == (0, b"", b"")


def test_at_its_end_the_command_writes_the_truth(tmp_path):
    truth = tmp_path / "truth.ndjson"
    command = [sys.executable, "-m", "archiver.simulator", "--servers", "2", "--truth", str(truth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as served:
        assert served.stdout is not None
        assert served.stdout.readline()
        served.send_signal(signal.SIGTERM)
        served.communicate(timeout=20)
    lines = list(read_rows(truth.read_text(encoding="utf-8").splitlines()))
    assert served.returncode == 0
    assert len({line.server for line in lines}) == 2
    assert [line.n for line in lines if line.server == lines[0].server][:3] == [1, 2, 3]
    assert not any(line.recoverable for line in lines)  # nobody connected


def test_options_become_settings():
    words = ["--rate=7", "--generation=pelican", "--game=bot", "--game=rust"]
    words += ["--no-uptime", "--no-limits"]
    settings = build_settings(read_options(words))
    assert (settings.rate, settings.generation) == (7.0, "pelican")
    assert settings.games == ("bot", "rust")
    assert not settings.uptime
    assert settings.token_limit is None
    assert settings.requests_a_minute > 10**6
    assert build_settings(read_options(["--idle"])).rate == 0


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        read_options(["--nothing"])
    assert refused.value.code == 2
    assert "--nothing" in capsys.readouterr().err
