"""The reference of metrics is what each role serves, and alerts are on metrics that there are."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from infra.local.engine import EngineMissing
from infra.local.packages import cache_directory, program, unpacked
from runtime import metrics
from tests.docs.pages import ROOT

ALERTS = ROOT / "infra" / "prometheus" / "alerts.yml"
PAGE = (ROOT / "docs" / "reference" / "metrics.md").read_text()
LINES = [line for line in PAGE.splitlines() if line.startswith("| `")]
ROWS = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in LINES]
GROUPS = yaml.safe_load(ALERTS.read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]


def documented(role: str) -> dict[str, str]:
    """Names and types of the metrics that the page says a role has."""
    return {row[0].strip("`"): row[1] for row in ROWS if row[3] == "all" or f"`{role}`" in row[3].split(", ")}


@pytest.mark.parametrize("role", metrics.ROLES)
def test_a_role_serves_the_metrics_that_the_page_says(role: str) -> None:
    served = text_string_to_metric_families(generate_latest(metrics.registry(role)).decode())
    ours = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in served
        if family.name.startswith("minitwitter_")
    }
    assert ours == documented(role)


def test_roles_together_serve_what_each_has() -> None:
    served = generate_latest(metrics.registry(*metrics.TOGETHER)).decode()
    for role in metrics.TOGETHER:
        for name in documented(role):
            assert f"# TYPE {name} " in served or f"# TYPE {name.removesuffix('_total')}_total " in served


def test_every_metric_is_set_by_something() -> None:
    """What is declared and never set is 0 for ever, and an alert on it never fires."""
    source = (
        "".join(path.read_text() for path in (ROOT / "runtime").rglob("*.py") if path != Path(metrics.__file__))
        + Path(metrics.__file__).read_text().partition("def count_call")[2]
    )
    declared = [name for name, value in vars(metrics).items() if any(value is d.collector for d in metrics.DECLARED)]
    assert len(declared) >= 25
    for name in declared:
        assert re.search(rf"\b(metrics\.)?{name}\.", source), name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_on_a_metric_that_there_is(rule: dict[str, Any]) -> None:
    families = {metrics.family_of(d.collector).name: d.collector for d in metrics.DECLARED}
    names = re.findall(r"minitwitter_\w+", rule["expr"])
    assert names
    labels = {"instance", "le"}
    for name in names:
        family = re.sub(r"_(total|bucket|sum|count)$", "", name)
        assert family in families, name
        assert name in PAGE or re.sub(r"_(bucket|sum|count)$", "", name) in PAGE
        labels |= set(metrics.labels_of(families[family]))
    for used in re.findall(r"by \(([^)]*)\)", rule["expr"]):
        assert set(used.replace(" ", "").split(",")) <= labels
    for used in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
        assert used in labels
    assert rule["annotations"]["action"]


def test_prometheus_takes_the_alerts() -> None:
    try:
        found = program("promtool") or str(unpacked(cache_directory(), "prometheus") / "usr" / "bin" / "promtool")
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    checked = subprocess.run([found, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
