"""The files of `deploy/`: what can be shown of them without Docker, by the programs and libraries that read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import promql_parser
import psycopg
import pytest
import yaml
from compose_spec import PyCompose
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client import generate_latest

from heartline_backend.config import StoreConfig, load_config
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store
from tests.architecture.imports import REPOSITORY
from tests.backend.test_api import ask, serving
from tests.mosquitto import mosquitto
from tests.postgresql import emptied

DEPLOY = REPOSITORY / "deploy"
COMPOSE = ("compose.yaml", "compose.cluster.yaml")
UUID = "0b4f9d2e-0000-4000-8000-000000000001"


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A copy of the folder in which `prepare` was run."""
    copy = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copy, ignore=shutil.ignore_patterns(".env", "secrets"))
    run(copy / "prepare")
    return copy


def run(*command: str | Path, **environ: str) -> str:
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environ}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def variables(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def interpolated(folder: Path, name: str) -> str:
    """A compose file with the values of `.env`, by Compose's rules."""
    values = variables(folder)
    text = (folder / name).read_text()
    return re.sub(r"\$\{(\w+)(?:(:-|:\?)[^}]*)?\}", lambda found: values[found[1]], text)


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_follows_the_specification_and_mounts_files_that_exist(prepared: Path, name: str) -> None:
    services = PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(interpolated(prepared, name)))).to_dict()["services"]
    assert {"worker1", "worker2", "api"} <= services.keys()
    sources = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    mounted = [prepared / source for source in sources if source.startswith(".")]
    assert mounted
    assert [path for path in mounted if not path.exists()] == []
    images = [service["image"] for service in services.values() if "image" in service and "build" not in service]
    assert all(re.search(r":v?\d+(\.\d+)*(-alpine)?$", image) for image in images), images
    assert (prepared / "backend" / "Dockerfile").exists()


def test_what_is_published_is_for_this_machine_unless_it_is_switched_on(prepared: Path) -> None:
    for name in COMPOSE:
        services = yaml.safe_load(interpolated(prepared, name))["services"]
        assert all(p.startswith("127.0.0.1:") for service in services.values() for p in service.get("ports", []))


def test_secrets_are_made_once_and_closed_to_others(prepared: Path) -> None:
    made = variables(prepared)
    assert len(set(made.values())) == len(made)
    run(prepared / "prepare")
    assert variables(prepared) == made
    assert (prepared / ".env").stat().st_mode & 0o777 == 0o600
    assert (prepared / "secrets").stat().st_mode & 0o777 == 0o700
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {"deploy/.env", "deploy/secrets/"} <= set(ignored)


@pytest.mark.parametrize("name", ["mosquitto", "rabbitmq"])
def test_the_backends_configuration_is_accepted(name: str) -> None:
    config = load_config(DEPLOY / "backend" / f"{name}.toml")
    services = {**compose_services("compose.yaml"), **compose_services("compose.cluster.yaml")}
    broker = config.broker or config.rabbitmq
    assert broker
    nodes = config.rabbitmq.other_nodes if config.rabbitmq else ()
    assert {broker.host, *nodes, "postgresql"} <= services.keys()
    assert config.store.postgresql
    assert "host=postgresql" in config.store.postgresql


def compose_services(name: str) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())["services"]
    return services


def test_mosquitto_lets_a_device_publish_under_its_own_topics_alone(prepared: Path, tmp_path: Path) -> None:
    password = run(prepared / "add-device", UUID).split()[-1]
    settings = (prepared / "mosquitto" / "mosquitto.conf").read_text()
    places = {
        "/mosquitto/secrets/": prepared / "secrets" / "mosquitto",
        "/mosquitto/config/": prepared / "mosquitto",
        "/mosquitto/data/": tmp_path,
    }
    for inside, here in places.items():
        settings = settings.replace(inside, f"{here}/")
    with mosquitto(tmp_path, settings=re.sub("(?m)^listener .*", "", settings)) as port:
        assert publishes(port, "backend", "wrong", f"heartline/{UUID}/session") is False
        assert publishes(port, UUID, password, f"heartline/{UUID}/session") is True
        assert publishes(port, UUID, password, "heartline/another/session") is False


def publishes(port: int, user: str, password: str, topic: str) -> bool:
    """Whether the broker takes a message of this user."""
    reasons: list[bool] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, password)

    def on_connect(_client: mqtt.Client, _data: object, _flags: object, reason: Any, _more: object) -> None:  # noqa: ANN401
        if reason.is_failure:
            reasons.append(False)
        client.publish(topic, b"{}", qos=1)

    client.on_connect = on_connect
    client.on_publish = lambda _client, _data, _mid, reason, _more: reasons.append(not reason.is_failure)
    client.connect("127.0.0.1", port)
    end_s = time.monotonic() + 10
    while not reasons and time.monotonic() < end_s:
        client.loop(0.1)
    client.disconnect()
    return reasons[0]


@pytest.fixture
def store(server: str) -> Iterator[Store]:
    with open_store(StoreConfig(postgresql=emptied(server))) as opened:
        yield opened


@pytest.fixture
def shown(store: Store) -> set[str]:
    """Names of all samples that workers and the API show Prometheus."""
    metrics = Metrics()
    metrics.received.labels("session")
    with serving(store, "a-token") as url:
        status, of_the_api = ask(f"{url}/metrics", Authorization="Bearer a-token")  # as Prometheus asks
    assert status == 200
    return set(re.findall(r"(?m)^(\w+)", generate_latest(metrics.registry).decode() + of_the_api))


def test_every_metric_of_the_dashboard_and_the_rules_is_shown(shown: set[str]) -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    expressions = [rule["expr"] for rule in rules]
    expressions += [t["expr"] for panel in panels() for t in panel["targets"] if "expr" in t]
    assert len(expressions) > 15
    for expression in expressions:
        promql_parser.parse(expression.replace("$__rate_interval", "1m"))
        names = set(re.findall(r"\b(?:heartline_\w+|up)\b(?=[\s{\[)=<>]|$)", expression))
        assert names
        assert names <= shown | {"up"}, expression


def test_every_query_of_the_dashboard_runs_on_the_backends_tables_as_who_can_only_read(server: str) -> None:
    conninfo = emptied(server)
    script = DEPLOY / "postgresql" / "10-grafana.sh"
    # As the image of PostgreSQL runs it, when there are no tables yet.
    environ = {"POSTGRES_USER": "heartline", "POSTGRES_DB": "postgres", "GRAFANA_DATABASE_PASSWORD": 'it\'s a "secret"'}
    run(script, PGHOST=str(psycopg.conninfo.conninfo_to_dict(server)["host"]), **environ)
    try:
        with open_store(StoreConfig(postgresql=conninfo)) as made:
            assert made.devices() == []
        queries = [t["rawSql"] for panel in panels() for t in panel["targets"] if "rawSql" in t]
        assert queries
        with psycopg.connect(conninfo, user="grafana") as connection:
            for query in queries:
                connection.execute(query.replace("${zone}", "Europe/Berlin")).fetchall()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM session")
    finally:
        with psycopg.connect(conninfo) as connection:
            connection.execute("DROP OWNED BY grafana")
            connection.execute("DROP ROLE grafana")


def test_a_panel_names_a_data_source_that_is_there() -> None:
    provisioned = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "heartline.yaml").read_text())
    known = {source["uid"] for source in provisioned["datasources"]}
    assert {panel["datasource"]["uid"] for panel in panels()} == known


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "heartline.json").read_text())
    found: list[dict[str, Any]] = dashboard["panels"]
    return found


def test_prometheus_asks_every_worker_at_its_own_port() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in jobs for group in job["static_configs"] for target in group["targets"]}
    config = load_config(DEPLOY / "backend" / "mosquitto.toml")
    assert targets == {f"worker{n}:{config.metrics.port + n - 1}" for n in (1, 2)} | {f"api:{config.api.port}"}
