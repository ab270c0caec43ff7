"""Rosters with names that no list of the project has: how many columns are read, asked about, or wrong without a word.

`python -m benchmarks.roster_names` (`--quick`: 200 columns). 2,000 columns are made from words of six languages, in
any order, with units, sides and the habits of spreadsheets. Each roster is read by the map that is proposed for it,
and what was read is compared with the values that were written.

The words are those of public pages that say how runners are asked and measured (the guides of physio-pedia.com to the
assessment of a runner in German, French, Spanish and Italian; Dutch and German pages of sports physiotherapists; labels
of running diaries), and the units are those of the Unicode CLDR. They were collected after the project's own list
and were not added to it; `HELD_OUT` are those that nobody looked at while the matching was changed.
"""

import datetime as dt
import io
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from babel import Locale

from pfps_ml.core import InputError, generator
from pfps_ml.core.console import command, say, table
from pfps_ml.domain import BY_NAME, side_rule
from pfps_ml.io.mapping_dialogue import LEAVE, map_text
from pfps_ml.io.mapping_suggestions import Proposal, Proposed, propose
from pfps_ml.io.readers import open_source
from pfps_ml.io.roster import NAMES, read_roster

COLUMNS = 2_000
RUNNERS = 12
_DAY = dt.date(2026, 9, 1)
_SIDES = {
    "en": (("L", "R"), ("left", "right"), ("Lt", "Rt")),
    "de": (("li", "re"), ("links", "rechts"), ("L", "R")),
    "nl": (("links", "rechts"), ("L", "R"), ("li", "re")),
    "fr": (("G", "D"), ("gauche", "droite"), ("gauche", "droit")),
    "es": (("izq", "der"), ("izquierda", "derecha"), ("I", "D")),
    "it": (("sx", "dx"), ("sinistra", "destra"), ("SX", "DX")),
}
_YES = {
    "en": ("yes", "no"),
    "de": ("ja", "nein"),
    "nl": ("ja", "nee"),
    "fr": ("oui", "non"),
    "es": ("sí", "no"),
    "it": ("sì", "no"),
}
# a field's units by their CLDR name, with what one is in the field's unit
_UNITS: dict[str, dict[str, float]] = {
    "height_cm": {"length-centimeter": 1, "length-meter": 100, "length-inch": 2.54},
    "weight_kg": {"mass-kilogram": 1, "mass-pound": 0.45359237},
    "weekly_distance_km": {"length-kilometer": 1, "length-mile": 1.609344},
    "running_experience_years": {"duration-year": 1, "duration-month": 1 / 12},
    "navicular_drop_mm": {"length-millimeter": 1, "length-centimeter": 10},
    "age_years": {"duration-year": 1},
    "squat_fppa_deg": {"angle-degree": 1},
}
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "height_cm": ("body height", "Standing height", "stature"),
        "weight_kg": ("Body mass", "body weight", "Current weight"),
        "running_experience_years": ("running experience", "Years of running experience", "years running"),
        "weekly_distance_km": (
            "weekly running distance",
            "average weekly mileage",
            "running volume per week",
            "distance per week",
        ),
        "sessions_per_week": (
            "running sessions per week",
            "runs per week",
            "weekly training sessions",
            "number of runs per week",
        ),
        "step_rate_spm": ("running cadence", "step rate", "self-selected cadence", "average cadence"),
        "current_knee_pain": (
            "current knee pain",
            "knee pain today",
            "anterior knee pain now",
            "Is the knee painful at the moment?",
            "sore knee currently",
        ),
        "prior_pfps": (
            "history of patellofemoral pain",
            "previous PFP",
            "runner's knee before",
            "past patellofemoral pain syndrome",
        ),
        "prior_knee_injury": (
            "previous knee injury",
            "history of knee surgery",
            "knee ligament injury",
            "past knee operation",
        ),
        "prior_running_injury_12m": (
            "running-related injury last 12 months",
            "injury in the previous year",
            "injured in past 12 months",
        ),
        "hip_abduction_nm_kg": ("hip abduction strength", "hip abductors", "peak hip abduction torque", "hip ABD MVIC"),
        "hip_external_rotation_nm_kg": ("hip external rotation strength", "hip external rotators", "hip ER torque"),
        "knee_extension_nm_kg": (
            "knee extension strength",
            "quadriceps torque",
            "knee extensors peak",
            "quads strength",
        ),
        "foot_posture_index": ("foot posture index", "FPI-6 score", "foot posture FPI"),
        "navicular_drop_mm": ("navicular drop", "navicular drop test", "nav drop"),
        "squat_fppa_deg": ("frontal plane projection angle", "FPPA single leg squat", "knee FPPA"),
    },
    "de": {
        "height_cm": ("Körpergröße", "Größe", "Körperhöhe"),
        "weight_kg": ("Körpergewicht", "Körpermasse", "Gewicht"),
        "running_experience_years": ("Lauferfahrung", "Lauferfahrung in Jahren", "Jahre Lauftraining"),
        "weekly_distance_km": (
            "Wochenkilometer",
            "wöchentliche Gesamtdistanz",
            "Laufumfang pro Woche",
            "Kilometerumfang pro Woche",
        ),
        "sessions_per_week": (
            "Trainingseinheiten pro Woche",
            "Läufe pro Woche",
            "Einheiten/Woche",
            "Trainingstage pro Woche",
        ),
        "step_rate_spm": ("Schrittfrequenz", "Kadenz", "Laufkadenz"),
        "current_knee_pain": (
            "Knieschmerz aktuell",
            "derzeit Schmerzen im Knie",
            "aktuelle Kniebeschwerden",
            "Schmerzen Knie heute",
            "Knie schmerzt momentan",
        ),
        "prior_pfps": ("früheres patellofemorales Schmerzsyndrom", "Läuferknie in der Vergangenheit", "PFPS früher"),
        "prior_knee_injury": ("frühere Knieverletzung", "Knieoperation", "Kreuzbandverletzung Knie", "Knie-OP"),
        "prior_running_injury_12m": (
            "Laufverletzung in den letzten 12 Monaten",
            "laufbedingte Verletzung letztes Jahr",
            "Verletzungen der letzten 12 Monate",
        ),
        "hip_abduction_nm_kg": ("Hüftabduktion", "Kraft Hüftabduktoren", "Hüftabduktionskraft", "Abduktion Hüfte"),
        "hip_external_rotation_nm_kg": ("Hüftaußenrotation", "Außenrotation Hüfte", "Hüftaußenrotatoren Kraft"),
        "knee_extension_nm_kg": ("Knieextension", "Kniestrecker", "Quadrizepskraft", "Kraft Knieextensoren"),
        "foot_posture_index": ("Foot Posture Index", "FPI"),
        "navicular_drop_mm": ("Navicular Drop", "Naviculare-Drop"),
        "squat_fppa_deg": ("FPPA einbeinige Kniebeuge", "Projektionswinkel"),
    },
    "nl": {
        "height_cm": ("lichaamslengte", "lengte"),
        "weight_kg": ("lichaamsgewicht", "gewicht"),
        "running_experience_years": ("loopervaring", "hardloopervaring", "trainingsjaren"),
        "weekly_distance_km": (
            "weekafstand",
            "wekelijkse afstand",
            "kilometers per week",
            "aantal kilometers per week",
        ),
        "sessions_per_week": ("aantal trainingen per week", "looptrainingen per week", "aantal loopjes per week"),
        "step_rate_spm": ("cadans", "stappen per minuut", "pasfrequentie"),
        "current_knee_pain": (
            "kniepijn nu",
            "huidige knieklachten",
            "pijn aan de knie op dit moment",
            "kniepijn vandaag",
        ),
        "prior_pfps": ("lopersknie gehad", "eerder patellofemoraal pijnsyndroom", "hardlopersknie in het verleden"),
        "prior_knee_injury": ("eerdere knieblessure", "knieoperatie", "kruisbandletsel knie"),
        "prior_running_injury_12m": (
            "hardloopblessure afgelopen 12 maanden",
            "blessure afgelopen jaar",
            "loopblessures laatste 12 maanden",
        ),
        "hip_abduction_nm_kg": ("heupabductie", "kracht heupabductoren", "abductie heup kracht"),
        "hip_external_rotation_nm_kg": ("exorotatie heup", "heup exorotatie kracht"),
        "knee_extension_nm_kg": ("knie-extensie", "kracht quadriceps", "knie extensoren"),
        "foot_posture_index": ("foot posture index", "FPI-6"),
        "navicular_drop_mm": ("navicular drop", "naviculare zakking"),
        "squat_fppa_deg": ("FPPA squat", "projectiehoek knie"),
    },
    "fr": {
        "height_cm": ("taille", "taille debout"),
        "weight_kg": ("masse corporelle", "poids corporel", "poids"),
        "running_experience_years": (
            "expérience de course",
            "expérience en course à pied",
            "années de pratique de la course",
        ),
        "weekly_distance_km": (
            "volume hebdomadaire",
            "distance par semaine",
            "kilométrage hebdomadaire",
            "kilomètres par semaine",
        ),
        "sessions_per_week": ("nombre de séances par semaine", "séances de course par semaine", "sorties par semaine"),
        "step_rate_spm": ("cadence des pas", "cadence de course", "fréquence de pas"),
        "current_knee_pain": (
            "douleur actuelle au genou",
            "douleur antérieure du genou aujourd'hui",
            "genou douloureux actuellement",
            "douleurs au genou en ce moment",
        ),
        "prior_pfps": (
            "antécédent de syndrome rotulien",
            "syndrome fémoro-patellaire antérieur",
            "SFP dans le passé",
            "genou du coureur auparavant",
        ),
        "prior_knee_injury": ("antécédent de blessure au genou", "chirurgie du genou", "opération du genou"),
        "prior_running_injury_12m": (
            "blessure liée à la course à pied 12 derniers mois",
            "blessures au cours des douze derniers mois",
            "blessé l'année dernière",
        ),
        "hip_abduction_nm_kg": ("force des abducteurs de hanche", "abduction de hanche", "force abduction hanche"),
        "hip_external_rotation_nm_kg": ("rotateurs externes de hanche", "rotation externe hanche"),
        "knee_extension_nm_kg": ("extension du genou", "force du quadriceps", "extenseurs du genou"),
        "foot_posture_index": ("foot posture index", "index de posture du pied"),
        "navicular_drop_mm": ("chute du naviculaire", "navicular drop"),
        "squat_fppa_deg": ("FPPA squat unipodal", "angle de projection"),
    },
    "es": {
        "height_cm": ("estatura", "talla", "altura"),
        "weight_kg": ("masa corporal", "peso corporal", "peso"),
        "running_experience_years": (
            "experiencia en la carrera",
            "años de experiencia corriendo",
            "experiencia de carrera",
        ),
        "weekly_distance_km": ("kilómetros semanales", "distancia semanal", "kilometraje semanal", "volumen semanal"),
        "sessions_per_week": ("sesiones por semana", "entrenamientos semanales", "salidas a correr por semana"),
        "step_rate_spm": ("cadencia", "cadencia de carrera", "pasos por minuto"),
        "current_knee_pain": (
            "dolor actual de rodilla",
            "dolor anterior de rodilla ahora",
            "molestias en la rodilla hoy",
            "dolor de rodillas actualmente",
        ),
        "prior_pfps": (
            "síndrome femoropatelar previo",
            "rodilla del corredor anteriormente",
            "antecedentes de dolor patelofemoral",
        ),
        "prior_knee_injury": ("lesión previa de rodilla", "cirugía de rodilla", "operación de rodilla"),
        "prior_running_injury_12m": (
            "lesión últimos 12 meses",
            "lesiones en el último año",
            "lesión de carrera en los últimos 12 meses",
        ),
        "hip_abduction_nm_kg": ("fuerza abductores de cadera", "abducción de cadera", "fuerza de abducción cadera"),
        "hip_external_rotation_nm_kg": ("rotadores externos de cadera", "rotación externa de cadera"),
        "knee_extension_nm_kg": ("fuerza de cuádriceps", "extensión de rodilla", "extensores de rodilla"),
        "foot_posture_index": ("índice de postura del pie", "FPI"),
        "navicular_drop_mm": ("caída del navicular", "navicular drop"),
        "squat_fppa_deg": ("FPPA sentadilla", "ángulo de proyección"),
    },
    "it": {
        "height_cm": ("altezza", "statura"),
        "weight_kg": ("massa corporea", "peso corporeo", "peso"),
        "running_experience_years": ("esperienza nella corsa", "anni di corsa", "esperienza di corsa"),
        "weekly_distance_km": (
            "chilometri settimanali",
            "distanza settimanale",
            "distanza complessiva settimanale",
            "volume settimanale di corsa",
        ),
        "sessions_per_week": ("allenamenti settimanali", "uscite a settimana", "sedute di corsa per settimana"),
        "step_rate_spm": ("cadenza", "passi al minuto", "frequenza del passo"),
        "current_knee_pain": (
            "dolore attuale al ginocchio",
            "dolore anteriore di ginocchio oggi",
            "ginocchio dolente ora",
            "fastidio al ginocchio attualmente",
        ),
        "prior_pfps": (
            "sindrome femoro-rotulea pregressa",
            "ginocchio del corridore in passato",
            "precedente dolore femoro-rotuleo",
        ),
        "prior_knee_injury": (
            "pregresso infortunio al ginocchio",
            "intervento al ginocchio",
            "lesione del ginocchio precedente",
        ),
        "prior_running_injury_12m": (
            "infortuni ultimi 12 mesi",
            "infortunio correlato alla corsa nell'ultimo anno",
            "infortunio ultimo anno",
        ),
        "hip_abduction_nm_kg": ("forza abduttori anca", "abduzione dell'anca", "abduzione anca forza"),
        "hip_external_rotation_nm_kg": ("rotazione esterna dell'anca", "extrarotatori anca"),
        "knee_extension_nm_kg": ("forza quadricipite", "estensione del ginocchio", "estensori ginocchio"),
        "foot_posture_index": ("foot posture index", "indice di postura del piede"),
        "navicular_drop_mm": ("caduta del navicolare", "navicular drop"),
        "squat_fppa_deg": ("FPPA squat monopodalico", "angolo di proiezione"),
    },
}
# columns that are no field of ours, some of them nearly
OTHERS = {
    "en": (
        "Car kilometers per week",
        "hours of training per week",
        "resting heart rate",
        "target weight",
        "knee flexion ROM",
        "hip adduction strength",
        "shoe size",
        "longest run (km)",
        "Currently injured",
        "weight loss last year",
        "ankle sprain history",
        "leg length",
        "Q angle",
        "hip flexion",
        "waist",
    ),
    "de": (
        "Trainingsstunden pro Woche",
        "Ruheherzfrequenz",
        "Schuhgröße",
        "Wettkampfgewicht",
        "Knieflexion",
        "Hüftadduktion",
        "Beinlänge",
        "längster Lauf (km)",
        "Trainer",
        "Bauchumfang",
        "Hüftumfang",
        "Gewichtsverlust",
    ),
    "nl": (
        "trainingsuren per week",
        "rusthartslag",
        "schoenmaat",
        "streefgewicht",
        "knieflexie",
        "heupadductie",
        "beenlengte",
        "langste duurloop",
        "opmerkingen",
    ),
    "fr": (
        "heures d'entraînement par semaine",
        "pointure",
        "poids de forme",
        "tour de taille",
        "flexion du genou",
        "adduction de hanche",
        "protéines par jour",
        "sortie la plus longue",
        "taille de chaussure",
    ),
    "es": (
        "horas de entrenamiento por semana",
        "número de calzado",
        "peso objetivo",
        "flexión de rodilla",
        "aducción de cadera",
        "perímetro de cintura",
        "tirada más larga",
        "talla de zapatilla",
    ),
    "it": (
        "ore di allenamento settimanali",
        "numero di scarpe",
        "peso forma",
        "flessione ginocchio",
        "adduzione anca",
        "circonferenza vita",
        "uscita più lunga",
        "chilometri in auto settimanali",
    ),
}


@dataclass(frozen=True)
class Made:
    """A column as made: its names (two where it has sides), the field, its cells, and the values that are true."""

    names: tuple[str, ...]
    field: str
    cells: tuple[list[str], ...]
    true: Any
    held_out: bool


def is_held_out(phrase: str) -> bool:
    """Return whether a phrase is in the half that nobody looks at while the matching is changed."""
    return zlib.crc32(phrase.encode()) % 2 == 0


def made_column(rng: Any, tongue: str, field: str) -> Made:
    """Make one column of a field, as somebody who speaks a language might have made it."""
    phrase = str(rng.choice(WORDS[tongue][field]))
    if BY_NAME[field].levels:
        answers = rng.integers(0, 2, RUNNERS)
        cells = [_YES[tongue][1 - answer] for answer in answers]
        return Made((_styled(rng, phrase, ""),), field, (cells,), answers.astype(float), is_held_out(phrase))
    unit, factor = _unit_of(rng, tongue, field)
    sides = side_rule(BY_NAME[field]) and rng.random() < 0.6
    values = [_values(rng, field) for _ in range(2 if sides else 1)]
    written = [np.round(part / factor, 0 if field == "foot_posture_index" else 3) for part in values]
    true = (np.min if side_rule(BY_NAME[field]) == "lowest" else np.max)(written, axis=0) * factor
    names = _sided(rng, tongue, phrase, unit) if sides else (_styled(rng, phrase, unit),)
    cells = tuple([f"{value:.12g}" for value in part] for part in written)
    return Made(names, field, cells, true, is_held_out(phrase))


def _values(rng: Any, field: str) -> Any:
    low, high = {
        "height_cm": (158, 192),
        "weight_kg": (50, 88),
        "running_experience_years": (1, 20),
        "weekly_distance_km": (12, 75),
        "sessions_per_week": (1, 7),
        "step_rate_spm": (158, 186),
        "hip_abduction_nm_kg": (1, 2),
        "squat_fppa_deg": (0, 20),
        "hip_external_rotation_nm_kg": (0.4, 0.9),
        "knee_extension_nm_kg": (1.8, 3.5),
        "foot_posture_index": (-2, 9),
        "navicular_drop_mm": (3, 13),
    }[field]
    return np.round(rng.uniform(low, high, RUNNERS), 0 if high > 5 else 2)


def _unit_of(rng: Any, tongue: str, field: str) -> tuple[str, float]:
    """Draw a unit as the CLDR writes it, short or long, and what one is in the field's unit; often none is written."""
    if BY_NAME[field].unit == "Nm/kg":
        return "Nm/kg", 1
    units = _UNITS.get(field, {})
    if not units:
        return "", 1
    name = str(rng.choice(list(units)))
    if units[name] == 1 and rng.random() < 0.3:
        return "", 1
    patterns = Locale(tongue)._data["unit_patterns"][name]
    pattern = str(rng.choice([patterns[length]["other"] for length in ("short", "long") if length in patterns]))
    return pattern.replace("{0}", "").strip(), units[name]


def _styled(rng: Any, phrase: str, unit: str) -> str:
    form = str(rng.choice(["{} ({})", "{} [{}]", "{}, {}", "{} {}", "{} in {}"])) if unit else "{}"
    name = form.format(phrase, unit)
    style = rng.integers(0, 5)
    if style == 0:
        return name.upper() if "mm" not in unit and unit not in ("m", "Nm/kg") else name
    return [name, name.capitalize() if not unit else name, f"{name}:", name.replace(" ", "_")][style - 1]


def _sided(rng: Any, tongue: str, phrase: str, unit: str) -> tuple[str, str]:
    sides = _SIDES[tongue][rng.integers(0, 3)]
    form = str(rng.choice(["{p} {s} ({u})", "{p} ({u}) {s}", "{p} {s} {u}", "{p}_{s}", "{p} - {s}", "{p} ({s}) [{u}]"]))
    form = form.replace(" ({u})", "").replace(" {u}", "").replace(" [{u}]", "") if not unit else form
    left, right = (form.format(p=phrase, s=side, u=unit) for side in sides)
    return left, right


def made_roster(rng: Any) -> tuple[str, list[Made]]:
    """Make a roster in one language: an id, an age and a sex that are known, and columns of other names."""
    tongue = str(rng.choice(list(WORDS)))
    fields = rng.permutation(list(WORDS[tongue]))[:7]
    columns = [made_column(rng, tongue, str(field)) for field in fields]
    others = rng.permutation(OTHERS[tongue])[:2]
    columns += [
        Made(
            (str(name),), "", ([f"{value:g}" for value in rng.integers(1, 60, RUNNERS)],), None, is_held_out(str(name))
        )
        for name in others
    ]
    order = rng.permutation(len(columns))
    return tongue, [columns[at] for at in order]


def csv_of(columns: list[Made]) -> str:
    """Return the roster as a file."""
    parts: dict[str, Any] = {
        "runner_id": [f"R-{row}" for row in range(RUNNERS)],
        "age_years": [30] * RUNNERS,
        "sex": ["female"] * RUNNERS,
    }
    for column in columns:
        parts |= dict(zip(column.names, column.cells, strict=True))
    text = io.StringIO()
    pd.DataFrame(parts).to_csv(text, index=False)
    return text.getvalue()


def outcome(column: Made, proposed: Proposed, values: pd.DataFrame) -> str:
    """Return what became of a column: read, asked, left unread, or wrong without a word."""
    mine = [proposal for proposal in proposed.columns if {*proposal.columns} & {*column.names}]
    if any(proposal.questions for proposal in mine):
        return "asked"
    if not any(proposal.field for proposal in mine):
        return "wrong" if column.field == "current_knee_pain" else "unread"
    if not column.field or any(proposal.field not in ("", column.field) for proposal in mine):
        return "wrong"
    return "read" if np.allclose(values[column.field], column.true, atol=0.02, rtol=0.002) else "wrong"


def _unasked(proposed: Proposed) -> Proposed:
    """Return a proposal that leaves out what is asked about: what is read without a question is what counts."""
    columns = [Proposal(column.column, declared={LEAVE: True}, others=column.others) if column.questions else column
               for column in proposed.columns]  # fmt: skip
    return replace(proposed, columns=tuple(columns))


def tally(columns: int, seed: int = 20_260_901) -> pd.DataFrame:
    """Return one row a column: its names, whether its words were held out, and what became of it."""
    rng, rows = generator(seed, "roster names"), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        while len(rows) < columns:
            tongue, made = made_roster(rng)
            (folder / "roster.csv").write_text(csv_of(made), encoding="utf-8")
            proposed = propose(open_source(folder / "roster.csv", NAMES), None, _DAY)
            (folder / "map.toml").write_text(map_text(_unasked(proposed)), encoding="utf-8")
            try:
                values = read_roster(folder / "roster.csv", folder / "map.toml" if proposed.needed else None).values
            except InputError:  # refused in words: nothing is wrong without one
                values = None
            for column in made:
                became = "asked" if values is None else outcome(column, proposed, values)
                rows.append(
                    {
                        "tongue": tongue,
                        "names": " | ".join(column.names),
                        "field": column.field,
                        "held_out": column.held_out,
                        "became": became,
                    }
                )
    return pd.DataFrame(rows[:columns])


def main(
    quick: Annotated[bool, typer.Option("--quick", help="200 columns.")] = False,
    show: Annotated[str, typer.Option("--show", help="List the columns that became this, but no held-out words.")] = "",
) -> None:
    """Print the shares of the columns of known fields that are read, asked about, left unread, or silently wrong."""
    told = tally(200 if quick else COLUMNS)
    rows = []
    for label, part in (("all", told), ("held out", told[told["held_out"]]), ("the others", told[~told["held_out"]])):
        fields, others = part[part["field"] != ""], part[part["field"] == ""]
        shares = Counter(fields["became"])
        rows.append(
            (
                label,
                f"{len(part):,}",
                *(f"{shares[key] / len(fields):.1%}" for key in ("read", "asked", "unread")),
                str(shares["wrong"]),
                str(int((others["became"] == "wrong").sum())),
            )
        )
    table(
        "Columns of names that no list has",
        ("words", "columns", "read", "asked", "unread", "silently wrong", "no field, read as one"),
        rows,
    )
    for row in told[(told["became"] == show) & ~told["held_out"]].itertuples():
        say(f"{row.tongue} {row.field}: {row.names}")


if __name__ == "__main__":
    command(main)

__all__ = ["COLUMNS", "OTHERS", "WORDS", "Made", "csv_of", "is_held_out", "made_roster", "main", "outcome", "tally"]
