"""The words of the world in French, by the same axes and in the same roles as words.py. None of them changes with what stands beside it."""

NOUNS = {
    "mountains": ("des montagnes", "une chaîne de montagnes", "de hauts sommets", "un massif montagneux", "des cimes rocheuses"),
    "dunes": ("des dunes de sable", "un désert de dunes", "un désert de sable", "de hautes dunes", "une mer de sable"),
    "forest": ("une forêt", "des collines boisées", "un bois épais", "une forêt dense", "des bois"),
    "lake": ("un lac", "un grand lac", "les eaux d'un lac", "la rive d'un lac", "un lac entre des collines"),
    "coast": ("une côte", "un rivage", "le bord de la mer", "un littoral", "des vagues qui se brisent sur le rivage"),
    "ocean": ("l'océan", "la pleine mer", "la haute mer", "l'océan à perte de vue", "des vagues au large"),
    "canyon": ("un canyon", "une gorge rocheuse", "un canyon profond", "des gorges", "un ravin aux parois rouges"),
    "city": ("une ville", "une grande ville", "les immeubles d'une ville", "une métropole", "une ville et ses immeubles"),
    "islands": ("des îles vues d'en haut", "un archipel", "des îles tropicales", "un groupe d'îles", "un chapelet d'îles"),
    "volcano": ("un volcan", "un volcan actif", "le cône d'un volcan", "un volcan solitaire", "un paysage volcanique"),
    "street": ("une rue", "une rue commerçante", "une ruelle", "une rue étroite", "une rue bordée de maisons"),
    "planet": ("une planète", "une planète dans l'espace", "une planète parmi les étoiles", "une planète vue de l'espace"),
    "table": ("une table", "le dessus d'une table"),
}
WOODEN_TABLES = ("une table en bois", "une table de bois nu")

FEATURE_PHRASES = {  # after "avec"
    "lake": ("un lac au premier plan", "un lac en contrebas"),
    "pines": ("des pins sur les pentes", "des sapins"),
    "rocks": ("des rochers dans le sable", "des rochers épars"),
    "river": ("une rivière qui serpente", "une rivière"),
    "clearing": ("une clairière", "une prairie dégagée"),
    "islands": ("des îlots boisés", "de petites îles"),
    "mountains_behind": ("des montagnes à l'horizon", "des montagnes au loin"),
    "cliffs": ("des falaises", "de hautes falaises"),
    "sandy_beach": ("une plage de sable", "une bande de sable clair"),
    "swell": ("une forte houle", "de grosses vagues"),
    "whitecaps": ("de l'écume sur les crêtes", "des crêtes blanches d'écume"),
    "mesas": ("des mesas", "des plateaux rocheux au loin"),
    "towers": ("de hautes tours", "des gratte-ciel"),
    "bay": ("une baie", "un port"),
    "reefs": ("des récifs de corail", "des récifs sous l'eau"),
    "one_large": ("une île plus grande", "une grande île au milieu"),
    "lava": ("des coulées de lave", "de la lave incandescente"),
    "smoke": ("un panache de fumée", "une colonne de fumée"),
    "neon": ("des enseignes au néon", "des néons"),
    "awnings": ("des auvents", "des auvents rayés"),
    "ring": ("un anneau", "un large anneau"),
    "moon": ("une lune", "une petite lune"),
    "city_lights": ("les lumières des villes sur sa face nocturne", "des villes illuminées sur sa face sombre"),
    "rolling": ("une boule qui roule", "une boule qui roule sur la table"),
    "cloth": ("une nappe", "une nappe de lin"),
}

AROUND = {  # a sentence on what surrounds what has neither time of day nor weather
    "planet": ("tout autour brillent les étoiles", "le fond est noir et étoilé"),
    "table": ("une fenêtre éclaire la pièce", "derrière, une fenêtre dans le mur"),
}

SUBJECT_NOUNS = {
    "boat": ("un voilier", "un bateau à voiles", "un petit voilier"),
    "car": ("une voiture", "une automobile", "une petite voiture"),
    "train": ("un train", "un train sur un viaduc", "un long train"),
    "balloon": ("une montgolfière", "un ballon dans les airs"),
    "plane": ("un avion", "un avion de ligne"),
    "birds": ("des oiseaux", "un vol d'oiseaux"),
    "lighthouse": ("un phare", "un grand phare"),
    "windmill": ("un moulin à vent", "un vieux moulin"),
    "campfire": ("un feu de camp", "un feu de bois"),
    "waterfall": ("une cascade", "une haute cascade", "une chute d'eau"),
}
SUBJECT_CLAUSES = {
    "boat": ("un voilier passe", "un voilier glisse sur l'eau", "un bateau à voiles fend l'eau"),
    "car": ("une voiture passe", "une voiture roule", "une voiture circule"),
    "train": ("un train passe", "un train franchit un viaduc", "un train roule sur ses rails"),
    "balloon": ("une montgolfière dérive dans les airs", "une montgolfière passe", "une montgolfière flotte dans les airs"),
    "plane": ("un avion passe dans les airs", "un avion traverse le ciel", "un avion vole"),
    "birds": ("des oiseaux passent", "des oiseaux volent", "un vol d'oiseaux traverse le ciel"),
    "lighthouse": ("un phare balaie l'horizon de son faisceau", "un phare éclaire les environs", "le faisceau d'un phare tourne"),
    "windmill": ("un moulin à vent tourne", "les ailes d'un moulin tournent"),
    "campfire": ("un feu de camp brûle", "un feu de camp crépite", "les flammes d'un feu de camp dansent"),
    "waterfall": ("une cascade tombe", "l'eau d'une cascade se précipite", "une cascade dévale les rochers"),
}

EVENT_CLAUSES = {
    "sunrise": ("le soleil se lève", "le soleil monte au-dessus de l'horizon", "le soleil apparaît"),
    "nightfall": ("la nuit tombe peu à peu", "le jour cède à la nuit", "l'obscurité tombe"),
    "storm_coming": ("un orage approche", "une tempête arrive", "un orage se prépare"),
    "lights_on": ("les lumières s'allument", "les fenêtres s'allument", "les lampes s'allument"),
    "timelapse": ("les nuages défilent en accéléré", "les nuages filent en accéléré"),
}

TIME_PHRASES = {
    "dawn": ("à l'aube", "au lever du soleil", "au point du jour"),
    "morning": ("le matin", "dans la matinée", "au matin"),
    "noon": ("à midi", "en plein jour", "au milieu de la journée"),
    "sunset": ("au coucher du soleil", "au soleil couchant", "à l'heure dorée"),
    "dusk": ("au crépuscule", "à la tombée de la nuit", "à l'heure bleue"),
    "night": ("la nuit", "en pleine nuit", "de nuit", "à minuit"),
}
WEATHER_PHRASES = {
    "clear": ("sous un ciel clair", "sous un ciel dégagé", "sous un ciel sans nuages", "par beau temps"),
    "cloudy": ("sous un ciel nuageux", "sous quelques nuages", "sous des nuages épars"),
    "overcast": ("sous un ciel couvert", "sous un ciel gris", "par temps couvert"),
    "fog": ("dans le brouillard", "dans la brume", "par temps de brouillard"),
    "rain": ("sous la pluie", "sous une averse", "par temps de pluie"),
    "snow": ("sous la neige qui tombe", "sous les flocons", "pendant une chute de neige"),
    "storm": ("dans la tempête", "sous l'orage", "par temps d'orage"),
}
SEASON_PHRASES = {
    "spring": ("au printemps", "en plein printemps"),
    "summer": ("en été", "au cœur de l'été"),
    "autumn": ("en automne", "au cœur de l'automne"),
    "winter": ("en hiver", "au cœur de l'hiver"),
}
CAMERA_VERBS = {  # after "la caméra"
    "static": ("reste fixe", "ne bouge pas", "reste immobile"),
    "pan_left": ("pivote vers la gauche", "tourne vers la gauche"),
    "pan_right": ("pivote vers la droite", "tourne vers la droite"),
    "tilt_up": ("s'incline vers le haut", "bascule vers le haut"),
    "tilt_down": ("s'incline vers le bas", "bascule vers le bas"),
    "push_in": ("avance", "s'approche"),
    "pull_back": ("recule", "s'éloigne"),
    "rise": ("s'élève", "prend de la hauteur"),
    "descend": ("descend", "perd de la hauteur"),
    "orbit": ("tourne autour", "décrit un arc de cercle"),
}
CAMERA_SHOTS = {
    "static": ("plan fixe",),
    "pan_left": ("panoramique vers la gauche", "panoramique à gauche"),
    "pan_right": ("panoramique vers la droite", "panoramique à droite"),
    "tilt_up": ("panoramique vers le haut",),
    "tilt_down": ("panoramique vers le bas",),
    "push_in": ("travelling avant",),
    "pull_back": ("travelling arrière",),
    "rise": ("mouvement de grue vers le haut", "plan qui s'élève"),
    "descend": ("mouvement de grue vers le bas", "plan qui descend"),
    "orbit": ("plan qui tourne autour", "travelling circulaire"),
}
SPEED_ADVERBS = {
    "slow": ("lentement", "doucement"),
    "steady": ("régulièrement", "d'un pas égal"),
    "fast": ("rapidement", "à vive allure"),
}
