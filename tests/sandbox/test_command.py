"""``python -m sandbox``: one ready line, a clean end, a clear word when the port is taken, data that stays."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sandbox", "--size", "30", "--companies", "1", *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_says_where_it_is_keeps_its_data_and_ends_on_request(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    for _ in range(2):
        running = subprocess.Popen(
            command("--port", str(port), "--data", str(tmp_path)), cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert running.stdout is not None
            assert f"ready at {url}" in running.stdout.readline()
            issued = requests.post(url + "/_sandbox/tokens/issue", timeout=5).json()
            headers = {"Authorization": f"Bearer {issued['access_token']}", "Accept": "application/json"}
            base = f"{url}/v3/company/{issued['realm_id']}"
            made = requests.post(base + "/vendor", json={"DisplayName": "Kept"}, headers=headers, timeout=5)
        finally:
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=10) == 0
            running.stdout.close()
    assert made.json()["Fault"]["Error"][0]["code"] == "6240", "the second start found what the first had stored"


def test_a_port_in_use_is_one_clear_line_and_generates_nothing(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command("--port", port, "--data", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert port in done.stderr and "--port" in done.stderr
    assert list(tmp_path.iterdir()) == []
