"""Logs made for tests: tables as Strava and Garmin Connect write them, and FIT and GPX files, byte by byte."""

import struct
from datetime import UTC, datetime, timedelta

from fitdecode.utils import compute_crc

STRAVA = (
    "Activity ID,Activity Date,Activity Name,Activity Type,Activity Description,Elapsed Time,Distance,Max Heart Rate,"
    "Commute,Filename,Elapsed Time,Moving Time,Distance,Average Cadence,Calories\n"
)
GARMIN = "Activity Type,Date,Favorite,Title,Distance,Calories,Time,Avg HR,Max HR,Avg Run Cadence,Avg Pace,Steps\n"
PLAIN = "date,distance_km,duration,cadence\n"
_FIT_EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
_NUMBERS = {"session": 18, "activity": 34}
_SIZES = {2: "B", 0: "B", 0x84: "H", 0x86: "I"}  # FIT's base types


def strava(day, km, minutes, cadence="", sport="Run", clock="7:00:00 AM"):
    """Return one line of Strava's export: seconds, kilometres rounded, and metres."""
    seconds, date = round(60 * minutes), f"{day:%b} {day.day}, {day.year}, {clock}"
    return (
        f'1,"{date}",Morning,{sport},"two\nlines",{seconds + 60},{km:.2f},150,false,a.fit,{seconds + 60}.0,'
        f"{seconds}.0,{1000 * km:.1f},{cadence},300\n"
    )


def garmin(day, distance, minutes, cadence="164", sport="Running", clock="07:00:00"):
    """Return one line of Garmin Connect's export."""
    seconds = round(60 * minutes)
    time = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f'{sport},{day} {clock},false,"A run, easy",{distance},"1,020",{time},150,170,{cadence},5:00,"4,808"\n'


def plain(day, km, minutes=None, cadence=""):
    """Return one line of a plain file, at 6 minutes a kilometre if nothing else is said."""
    seconds = round(60 * (6 * km if minutes is None else minutes))
    return f"{day},{km},{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{cadence}\n"


def fit(*messages):
    """Return a FIT file of some messages: (name, {field number: (base type, value)})."""
    body = b""
    for name, fields in messages:
        body += struct.pack("<BBBHB", 0x40, 0, 0, _NUMBERS[name], len(fields))
        body += b"".join(struct.pack("<BBB", at, struct.calcsize(_SIZES[t]), t) for at, (t, _) in fields.items())
        body += b"\0" + b"".join(struct.pack("<" + _SIZES[t], value) for t, value in fields.values())
    head = struct.pack("<BBHI4s", 14, 0x20, 2100, len(body), b".FIT")
    head += struct.pack("<H", compute_crc(head))
    return head + body + struct.pack("<H", compute_crc(head + body))


def session(start, metres=10_000, seconds=3_600, strides=82, sport=1, part=64):
    """Return the message of a session: FIT counts strides, of one foot, and their fraction in 128ths."""
    return "session", {
        2: (0x86, _fit_time(start)), 5: (0, sport), 8: (0x86, 1000 * seconds), 9: (0x86, 100 * metres),
        18: (2, strides), 92: (2, part),
    }  # fmt: skip


def activity(start, hours):
    """Return the message that tells the watch's own clock, some hours from UTC; nothing of it for None."""
    here = {} if hours is None else {5: (0x86, _fit_time(start + timedelta(hours=hours)))}
    return "activity", {253: (0x86, _fit_time(start))} | here


def gpx(start, kind="running", cadence=None, times=True, minutes=60):
    """Return a track due north, a degree of latitude in ten equal parts of 0.009 (1 km each), of some minutes."""
    points = []
    for at in range(11):
        time = f"<time>{start + timedelta(minutes=at * minutes / 10):%Y-%m-%dT%H:%M:%SZ}</time>" if times else ""
        more = (
            f"<extensions><x:TrackPointExtension><x:cad>{cadence}</x:cad></x:TrackPointExtension></extensions>"
            if cadence is not None
            else ""
        )
        points.append(f'<trkpt lat="{50 + at * 0.009:.4f}" lon="8.0">{time}{more}</trkpt>')
    sport = f"<type>{kind}</type>" if kind else ""
    return (
        '<?xml version="1.0"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1" '
        'xmlns:x="http://www.garmin.com/xmlschemas/TrackPointExtension/v1">'
        f"<trk>{sport}<trkseg>{''.join(points)}</trkseg></trk></gpx>"
    )


def tcx(start, metres=10_000, seconds=3_600, strides=82, sport="Running"):
    """Return a TCX file of two laps."""
    begun = f"{start:%Y-%m-%dT%H:%M:%SZ}"
    lap = (
        f'<Lap StartTime="{begun}"><TotalTimeSeconds>{seconds / 2}</TotalTimeSeconds>'
        f"<DistanceMeters>{metres / 2}</DistanceMeters>"
        "<Track><Trackpoint><DistanceMeters>9</DistanceMeters></Trackpoint></Track>"
        f'<Extensions><x:LX xmlns:x="e"><x:AvgRunCadence>{strides}</x:AvgRunCadence></x:LX></Extensions></Lap>'
    )
    return (
        '<?xml version="1.0"?>'
        '<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">'
        f'<Activities><Activity Sport="{sport}"><Id>{begun}</Id>{lap * 2}</Activity></Activities>'
        "</TrainingCenterDatabase>"
    )


def _fit_time(moment):
    return round((moment - _FIT_EPOCH).total_seconds())
