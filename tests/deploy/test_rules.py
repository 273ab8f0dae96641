"""deploy/prometheus: every rule is documented and tested, and names only metrics that exist."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.local.servers.prometheus import PrometheusFiles
from ops.reference import ROOT
from tests.deploy.promql import names_of, undocumented
from tests.references import Reference, broken

FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOKS = "docs/operations.md"
KINDS = ("fires", "does not fire", "series missing")

Rule = dict[str, Any]


@cache
def rules() -> list[Rule]:
    document = yaml.safe_load((FOLDER / "rules.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule]


def title(alert: Rule) -> str:
    return f"{alert['alert']}, {alert['labels'].get('severity')}"


def recorded() -> dict[str, set[str]]:
    """Recording rules with their labels: what they group by."""
    return {rule["record"]: names_of(rule["expr"]).grouping - {"le"} for rule in rules() if "record" in rule}


@cache
def cases() -> dict[str, dict[str, Any]]:
    """The tests of promtool by name."""
    found = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    assert len(found) == len({case["name"] for case in found})
    return {case["name"]: case for case in found}


def promtool(programs: PrometheusFiles, *words: str) -> str:
    ran = subprocess.run([programs.promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
)
def test_promtool_finds_no_fault(programs: PrometheusFiles, words: tuple[str, ...]) -> None:
    """Every expression parses, and every alert fires when it must, and only then."""
    promtool(programs, *words)


def test_the_alerts_are_those_that_were_agreed() -> None:
    names = {alert["alert"] for alert in alerts()}
    assert {
        *("BalanceBroken", "PartitionStopped", "PartitionUnowned", "NoProgress", "LagSecondsHigh", "DeadRatioStop"),
        *("RetentionHeadroomLow", "IngestErrorBudgetBurn", "IngressNotReady", "BufferNearFull", "DeadLettersGrow"),
        *("RebalanceStorm", "KeysStale", "PayloadDiffers", "VerifyOverdue", "CanaryLate", "TargetMissing"),
        *("CanaryMiscounted", "ObserverStale"),
    } == names


@pytest.mark.parametrize("alert", alerts(), ids=title)
def test_every_alert_says_what_it_means_and_what_to_do(alert: Rule) -> None:
    """Severity, summary, description and the address of a section that exists and says three things."""
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "description", "runbook_url"} == alert["annotations"].keys()
    assert all(text.strip() for text in alert["annotations"].values())
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert (RUNBOOKS, alert["alert"].lower()) == (page, anchor)
    assert not broken(Reference("README.md", 0, page, f"#{anchor}"), ROOT)
    section = (ROOT / page).read_text().partition(f"### {alert['alert']}\n")[2].partition("\n#")[0]
    assert ["Means", "Look at", "Do"] == re.findall(r"^- \*\*([\w ]+)\*\*: ", section, re.MULTILINE)


@pytest.mark.parametrize("alert", alerts(), ids=title)
def test_every_alert_has_three_tests(alert: Rule) -> None:
    """Fires, does not fire, series missing. Each asks for this alert at this severity."""
    asked = f'ALERTS{{alertname="{alert["alert"]}", alertstate="firing", severity="{alert["labels"]["severity"]}"}}'
    for kind in KINDS:
        case = cases()[f"{title(alert)}: {kind}"]
        (query,) = case["promql_expr_test"]
        assert asked == query["expr"]
        if kind != "series missing":
            assert bool(query["exp_samples"]) == (kind == "fires")
            given = " ".join(one["series"] for one in case["input_series"])
            assert (
                names_of(given).metrics.keys() & names_of(alert["expr"]).metrics.keys() or "tallymill:" in alert["expr"]
            )
        else:
            assert "input_series" not in case


def test_no_test_is_left_over() -> None:
    """Of an alert that was renamed."""
    assert {f"{title(alert)}: {kind}" for alert in alerts() for kind in KINDS} == cases().keys()


@pytest.mark.parametrize("alert", alerts(), ids=title)
def test_the_texts_name_only_labels_that_the_alert_has(alert: Rule) -> None:
    """Prometheus writes an empty text for a label that is not there."""
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    (query,) = cases()[f"{title(alert)}: fires"]["promql_expr_test"]
    for sample in query["exp_samples"]:
        assert named <= set(re.findall(r'(\w+)="', sample["labels"]))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("record") or title(rule))
def test_every_metric_and_label_is_documented(rule: Rule) -> None:
    """A metric that is renamed takes its rules along."""
    assert [] == undocumented(rule["expr"], recorded())


def test_the_test_of_names_sees_what_is_wrong() -> None:
    """A metric, a matched label and a grouping that docs/metrics.md does not have; and nothing else."""
    expression = (
        'sum by (api, le, gone) (rate(tallymill_worker_records_total{fate="a b{", nope=~"x"}[5m])) / tallymill_none'
    )
    assert ["tallymill_none", "tallymill_worker_records_total{nope}", "by (gone)"] == undocumented(expression, {})
    assert [] == undocumented("sum by (api) (tallymill:x{api='a'}) + up{job=\"b\"}", {"tallymill:x": {"api"}})


def jobs() -> Iterator[str]:
    document = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    for job in document["scrape_configs"]:
        yield job["job_name"]


def test_the_jobs_that_rules_name_are_scraped() -> None:
    """And each job has a rule that misses it."""
    named = {name for rule in rules() for name in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert set(jobs()) == named


def test_the_alerts_are_tested_against_the_rules_that_are_shipped() -> None:
    assert ["rules.yml"] == yaml.safe_load((FOLDER / "rules_test.yml").read_text())["rule_files"]
    assert Path("rules.yml") in map(Path, yaml.safe_load((FOLDER / "prometheus.yml").read_text())["rule_files"])
