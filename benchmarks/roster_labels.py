"""Labels of columns and of questions as public software has them, in six languages: the hold-out of the names.

They are labels of forms, exports and charts of public repositories and of one public template of a form for runners,
letter for letter. They were found by searching for one phrase of each field. No label led to a change of the matching:
whoever changes the matching because of one of them takes that label out.
"""

PUBLIC: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "height_cm": ("Height (cm)", "heightCm", "BodyHeight"),
        "weight_kg": ("Weight (kg)",),
        "weekly_distance_km": ("Weekly Running Distance", "weeklyDistance", "weekly_distance", "current_weekly_avg_km",
                               "Current Weekly Running Volume (km)"),
        "sessions_per_week": ("Avg Runs/Week", "runs_per_week", "current_runs_per_week", "sessionsPerWeek"),
        "running_experience_years": ("years_running", "running_experience", "experience_years"),
        "step_rate_spm": ("Cadence (spm)", "Cadence (SPM):", "cadence_spm", "cadenceSpm", "avg_cadence"),
        "current_knee_pain": ("Knee pain today", "How is your knee pain today?", "knee_pain", "Knee Pain"),
        "prior_knee_injury": ("Have had knee surgery", "Previous knee surgery"),
        "prior_running_injury_12m": ("Any injuries in the last 12 months?", "Injuries in the last 12 months",
            "Have you had injuries in the last 12 months?",
            "Any injuries in the last 12 months that stopped you running for 2+ weeks?"),
        "hip_abduction_nm_kg": ("Hip Abduction Strength", "hip_abduction_strength"),
        "knee_extension_nm_kg": ("Knee Extension Strength", "knee_extension_strength", "quadriceps muscle strength"),
        "foot_posture_index": ("Foot Posture Index (FPI-6)", "Foot Posture Index", "footPostureIndex"),
        "navicular_drop_mm": ("Navicular Drop Test", "naviularDropTest"),
    },
    "de": {
        "height_cm": ("Körpergröße in cm", "groesse"),
        "weight_kg": ("Körpergewicht in kg", "gewicht"),
        "weekly_distance_km": ("Km pro woche", "km pro Woche", "Aktueller Laufumfang"),
        "sessions_per_week": ("Einheiten pro Woche", "Trainingseinheiten pro Woche"),
        "running_experience_years": ("Lauferfahrung in Jahren", "Jahre Lauferfahrung"),
        "step_rate_spm": ("Ø Schrittfrequenz (Laufen)", "Schrittfrequenz (spm)"),
        "current_knee_pain": ("Knieschmerzen",),
        "navicular_drop_mm": ("Navicular Drop",),
    },
    "nl": {
        "height_cm": ("Lichaamslengte", "1. Wat is uw lichaamslengte?"),
        "weight_kg": ("Lichaamsgewicht",),
        "sessions_per_week": ("Trainingen per week",),
        "step_rate_spm": ("Gemiddelde cadans", "Gemiddelde_Cadans"),
        "current_knee_pain": ("knieklachten",),
    },
    "fr": {
        "height_cm": ("Taille (cm)", "Taille (CM)", "taille"),
        "weight_kg": ("Poids (kg)",),
        "weekly_distance_km": ("Kilométrage hebdomadaire", "Kilométrage hebdo ?", "Votre volume moyen par semaine"),
        "sessions_per_week": ("Séances par semaine", "Combien de séances par semaine ?"),
        "running_experience_years": ("Expérience en course", "Expérience en course à pied"),
        "step_rate_spm": ("Cadence moyenne (pas/min)", "Cadence moyenne", "Cadence moyenne (rpm/spm)"),
        "current_knee_pain": ("Douleur au genou",),
    },
    "es": {
        "height_cm": ("Estatura (cm)",),
        "weight_kg": ("Peso (kg)",),
        "weekly_distance_km": ("Km por Semana", "KM POR SEMANA"),
        "sessions_per_week": ("Entrenamientos por semana", "Cantidad de entrenamientos por semana"),
        "step_rate_spm": ("Cadencia media de carrera", "Cadencia Media"),
        "current_knee_pain": ("Dolor de Rodilla", "Gonalgia (dolor de rodilla)"),
        "prior_knee_injury": ("¿Has tenido lesiones previas en esta rodilla?",
                              "¿Ha tenido lesiones previas en esta rodilla?"),
        "navicular_drop_mm": ("Caída del navicular / Navicular Drop Test",),
    },
    "it": {
        "height_cm": ("Altezza (cm)", "ALTEZZA (cm)", "Altezza (cm):", "altezzaCm"),
        "weekly_distance_km": ("km a settimana", "chilometraggio settimanale"),
        "sessions_per_week": ("Allenamenti a settimana",),
        "running_experience_years": ("anni di corsa",),
        "step_rate_spm": ("Cadenza media", "Cadenza Media"),
        "current_knee_pain": ("Dolore al ginocchio",),
        "prior_running_injury_12m": ("Hai subito infortuni NELL\u2019ULTIMO ANNO?",),
    },
}  # fmt: skip
# columns beside them that are no field of ours
PUBLIC_OTHERS = {
    "en": ("Max_Hip_abd/add", "Weekly running distance goal in km", "max_runs_per_week", "Arch Height Index",
           "weekly_mileage_target", "Average Training Pace (min/km)"),
    "de": ("Max. Schrittfrequenz (Laufen)", "Längster Lauf bisher", "Beste Pace", "Max. HF"),
    "nl": ("Max. cadans", "krachttrainingen per week", "Max. hartslag"),
    "fr": ("Tour de taille (cm)", "FC max (bpm)", "Denivele + (m)"),
    "es": ("meta de km por semana", "Cadencia máx.", "Pulso medio"),
    "it": ("FC media", "Potenza media", "Distanza", "Hai subito infortuni NEGLI ULTIMI 5 ANNI?"),
}  # fmt: skip

__all__ = ["PUBLIC", "PUBLIC_OTHERS"]
