from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import RecordingError
from edge_agent.recordings import tcx
from tests.recordings.samples import START, extension, heart_rate, tcx_activity, track_point, write


def test_points_with_extensions_are_read(tmp_path: Path) -> None:
    points = [
        track_point(
            t,
            "<AltitudeMeters>81.25</AltitudeMeters>",
            heart_rate(120 + t),
            "<Cadence>90</Cadence>",
            extension(Speed=7.5, Watts=210),
        )
        for t in range(3)
    ]
    ride = tcx.read(write(tmp_path / "anna" / "ride.tcx", tcx_activity(*points)))
    assert (ride.person, ride.session, ride.sport, ride.licence) == ("anna", "ride.tcx", "cycling", "own")
    assert ride.started_at == START
    assert ride.channels["heart_rate_bpm"].tolist() == [120, 121, 122]
    assert [ride.channels[name][0] for name in ("speed_mps", "cadence_rpm", "power_w", "altitude_m")] == [
        7.5,
        90,
        210,
        81.25,
    ]


def test_running_cadence_and_zones_are_read(tmp_path: Path) -> None:
    points = [track_point(t, heart_rate(150), extension(RunCadence=88)) for t in range(2)]
    east = points[1].replace("00:59:56.000Z", "02:59:56+02:00")
    run = tcx.read(write(tmp_path / "run.tcx", tcx_activity(points[0], east, sport="Running")))
    assert (run.sport, run.duration_s) == ("running", 2)
    assert run.channels["cadence_rpm"].tolist() == [88, 88]


def test_missing_and_unreadable_values_are_missing_and_pauses_gaps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [
        track_point(0, heart_rate(100)),
        track_point(1),
        track_point(2, heart_rate("fast")),
        track_point(3, heart_rate(0), extension(Watts="strong", Speed="")),
        track_point(7, heart_rate(107)),
    ]
    recording = tcx.read(write(tmp_path / "a.tcx", tcx_activity(*points, sport="Other")))
    nan = np.nan
    np.testing.assert_array_equal(recording.channels["heart_rate_bpm"], [100, nan, nan, nan, nan, nan, nan, 107])
    assert list(recording.channels) == ["heart_rate_bpm"]
    assert recording.sport == "unknown"
    assert capsys.readouterr().out == ""


def test_a_number_beyond_any_float_is_refused(tmp_path: Path) -> None:
    point = track_point(0, heart_rate(100), extension(Watts="9" * 400))
    with pytest.raises(RecordingError, match="not the TCX layout"):
        tcx.read(write(tmp_path / "a.tcx", tcx_activity(point)))


def test_malformed_xml_is_named_with_its_line(tmp_path: Path) -> None:
    text = tcx_activity(track_point(0, heart_rate(100)), track_point(1, heart_rate(101)))
    with pytest.raises(RecordingError, match="not well-formed") as caught:
        tcx.read(write(tmp_path / "a.tcx", text[: text.index("</Track>")]))
    assert caught.value.line == 8


@pytest.mark.parametrize("encoding", ["UTo-8", "hex", "idna", "utf-7", "shift_jis", "undefined"])
def test_an_encoding_that_xml_cannot_have_is_named_with_its_line(tmp_path: Path, encoding: str) -> None:
    text = tcx_activity(track_point(0, heart_rate(100))).replace("UTF-8", encoding)
    with pytest.raises(RecordingError, match="not well-formed") as caught:
        tcx.read(write(tmp_path / "a.tcx", text))
    assert caught.value.line == 1


def test_a_point_without_time_is_refused_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = [
        track_point(0, heart_rate(100)),
        f"<Trackpoint>{heart_rate(101)}</Trackpoint>",
        track_point(2),
        track_point(3),
    ]
    with pytest.raises(RecordingError, match="without time"):
        tcx.read(write(tmp_path / "a.tcx", tcx_activity(*points)))
    assert capsys.readouterr().out == ""


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE x [<!ENTITY e0 "ha">{BOMB}]>\n',
        '<!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/hostname">]>\n',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">\n',
    ],
)
def test_a_document_type_is_refused_before_it_can_expand(tmp_path: Path, doctype: str) -> None:
    text = tcx_activity(track_point(0, heart_rate("&e9;")), prologue=doctype)
    for encoding in ("UTF-8", "UTF-16"):
        data = text.replace("UTF-8", encoding).encode(encoding)
        with pytest.raises(RecordingError, match="document type declaration") as caught:
            tcx.read(write(tmp_path / "a.tcx", data))
        assert caught.value.line == 2


def test_a_deep_or_a_wide_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no heart rate"):
        tcx.read(write(tmp_path / "deep.tcx", "<a>" * 200_000 + "</a>" * 200_000))
    with pytest.raises(RecordingError, match="elements"):
        tcx.read(write(tmp_path / "wide.tcx", "<a>" + "<b/>" * 2_100_000 + "</a>"))
