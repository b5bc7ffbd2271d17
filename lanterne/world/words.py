"""The words of the world: every English phrase a caption may use, by axis and value.

Said once: captions.py speaks from the tables here (and from french.py's), prompts.py recognises all of them and what heard.py adds.
A phrase stands in the role its table names, so that any of them can be put into the same sentence.
"""

# Things seen, with their article. None promises a weather, a light or a season: those are other axes.
NOUNS = {
    "mountains": ("mountains", "a mountain range", "high peaks", "rugged mountains", "an alpine range", "steep mountain peaks",
                  "rocky summits", "an alpine landscape", "mountain ridges", "a row of jagged peaks"),
    "dunes": ("sand dunes", "desert dunes", "a sandy desert", "rolling dunes", "a desert of high dunes", "waves of sand",
              "a desert landscape", "a sea of sand", "dunes"),
    "forest": ("a forest", "forested hills", "woodland", "wooded hills", "a dense forest", "hills covered with trees",
               "a thick wood", "a forest landscape", "rolling woodland"),
    "lake": ("a lake", "a wide lake", "the shore of a lake", "a broad lake", "a lakeside", "a lake landscape",
             "a lake between hills", "the waters of a lake"),
    "coast": ("a coast", "a seashore", "a coastline", "the edge of the sea", "a seaside", "a shoreline",
              "waves breaking on a shore", "surf rolling onto the shore", "a coast where sea and land meet"),
    "ocean": ("the open ocean", "the open sea", "the high seas", "an endless ocean", "a sea far from land", "deep ocean water",
              "ocean waves", "nothing but ocean", "a boundless sea"),
    "canyon": ("a canyon", "a deep canyon", "a gorge", "a rocky gorge", "a ravine", "canyon walls", "a canyon of red rock",
               "a rocky canyon", "a steep ravine"),
    "city": ("a city", "a city skyline", "an urban skyline", "city buildings", "a metropolis", "a cityscape",
             "blocks of buildings", "a big city", "a town of many buildings"),
    "islands": ("islands seen from above", "an archipelago", "a group of islands", "tropical islands", "islands in the sea",
                "an archipelago seen from the air", "islands set in the sea", "a chain of islands", "an aerial view of islands"),
    "volcano": ("a volcano", "an active volcano", "a volcanic cone", "a volcanic peak", "the cone of a volcano", "a lone volcano",
                "a volcanic landscape", "a volcano with a wide crater", "a volcanic summit"),
    "street": ("a street", "a city street", "a street of shops", "a narrow street", "an alley between houses", "a shopping street",
               "a street lined with houses", "an urban street", "a side street"),
    "planet": ("a planet", "a planet in space", "a planet in outer space", "a planet among the stars", "a world in outer space",
               "a planet before the stars", "a round world in the blackness of space", "a planet seen from space", "a planet in deep space"),
    "table": ("a table", "a table top", "a tabletop", "the top of a table"),
}
WOODEN_TABLES = ("a wooden table", "a wooden tabletop", "a table of bare wood")  # where no cloth hides it

# A sentence on what surrounds what has neither time of day nor weather.
AROUND = {
    "planet": ("stars shine all around", "the space around it is black and full of stars", "behind it are countless stars",
               "it hangs in black space"),
    "table": ("soft shadows lie beside", "there is a window in the wall behind", "daylight comes in by a window", "it stands in a room by a window"),
}

# Where a subject is, after its name.
PLACES = {
    "mountains": ("in the mountains", "among high peaks", "in a mountain range"),
    "dunes": ("in the dunes", "in a sandy desert", "among sand dunes"),
    "forest": ("in a forest", "in woodland", "among forested hills"),
    "lake": ("on a lake", "at a lake", "by a wide lake"),
    "coast": ("at the coast", "off a shoreline", "by the seashore"),
    "ocean": ("on the open ocean", "out on the open sea", "on the high seas"),
    "canyon": ("in a canyon", "in a gorge", "between canyon walls"),
    "city": ("over a city", "above a city skyline", "over a metropolis"),
    "islands": ("by an archipelago", "among islands in the sea", "at a chain of islands"),
    "volcano": ("at a volcano", "by an active volcano", "near a volcanic cone"),
    "street": ("in a street", "in a city street", "on a street of shops"),
}

# After "with". Names as in scene.FEATURES; a river is a river in a forest and in a canyon.
FEATURE_PHRASES = {
    "lake": ("a lake in front", "a lake in the foreground", "a lake at the foot of the slopes", "a lake below"),
    "pines": ("dark pines on the slopes", "pine trees", "pines lower down", "conifers"),
    "rocks": ("rocks in the sand", "scattered rocks", "dark boulders", "rocks standing out"),
    "river": ("a river winding through", "a river", "a stream running through", "a river at the bottom"),
    "clearing": ("a clearing", "an open meadow", "a glade", "a clearing among the trees"),
    "islands": ("islands", "small islands", "a few islands in the water", "wooded islets"),
    "mountains_behind": ("mountains behind", "mountains in the background", "distant mountains", "peaks beyond"),
    "cliffs": ("cliffs", "tall cliffs", "steep cliffs", "sheer cliffs rising from the water"),
    "sandy_beach": ("a sandy beach", "a beach of pale sand", "a wide beach", "a strip of sand"),
    "swell": ("a long swell", "large rolling waves", "a heavy swell", "big waves"),
    "whitecaps": ("whitecaps", "white foam on the crests", "foaming crests", "crests breaking white"),
    "mesas": ("mesas", "flat-topped mesas", "table mountains on the horizon", "buttes beyond"),
    "towers": ("tall towers", "skyscrapers", "high-rise towers", "towers of glass"),
    "bay": ("a bay in front", "a bay", "a harbour", "water at the front"),
    "reefs": ("coral reefs", "reefs under the water", "pale reefs around them", "a fringe of reefs"),
    "one_large": ("one large island", "a large main island", "one island larger than the rest", "a big island in the middle"),
    "lava": ("glowing lava", "streams of lava", "lava flowing down its slopes", "molten lava"),
    "smoke": ("a plume of smoke", "smoke above the crater", "a column of ash and smoke", "a smoking crater"),
    "neon": ("neon signs", "neon lights", "glowing neon", "signs of neon"),
    "awnings": ("awnings", "striped awnings", "awnings over the shops", "shop awnings"),
    "ring": ("a ring around it", "rings", "a wide ring", "a system of rings"),
    "moon": ("a moon", "a small moon", "a moon beside it", "a moon in orbit around it"),
    "city_lights": ("city lights on its night side", "lights of cities on its dark side", "cities glowing on the night side"),
    "rolling": ("a ball rolling along", "one ball rolling", "a rolling ball"),
    "cloth": ("a tablecloth", "a cloth spread over it", "a cloth on it", "a linen cloth"),
}

# What moves in a scene: named, and said with what it does. A flipped clip moves the other way, so no side is ever told.
SUBJECT_NOUNS = {
    "boat": ("a sailing boat", "a sailboat", "a boat with tall sails", "a small sailing boat", "a boat under sail"),
    "car": ("a car", "a small car", "a moving car", "a single car", "an automobile"),
    "train": ("a train", "a train on a viaduct", "a passing train", "a railway train", "a long train"),
    "balloon": ("a hot-air balloon", "a hot air balloon", "a drifting balloon", "a striped hot-air balloon", "a balloon in the air"),
    "plane": ("a plane", "an airplane", "an airliner", "an aircraft", "an aeroplane"),
    "birds": ("birds", "a flock of birds", "flying birds", "birds on the wing", "a swarm of birds"),
    "lighthouse": ("a lighthouse", "a tall lighthouse", "a striped lighthouse", "a lighthouse with its turning beam"),
    "windmill": ("a windmill", "an old windmill", "a turning windmill", "a windmill with its sails turning"),
    "campfire": ("a campfire", "a burning campfire", "a camp fire", "an open fire", "a bonfire"),
    "waterfall": ("a waterfall", "a tall waterfall", "a plunging waterfall", "a cascade", "falling cascades"),
}
SUBJECT_CLAUSES = {
    "boat": ("a sailing boat crosses the water", "a sailboat glides by", "a boat sails past", "a boat with tall sails passes",
             "a sailing boat makes its way", "a small boat sails along"),
    "car": ("a car drives along", "a car passes by", "a car drives past", "a car crosses the view", "a single car is driving through"),
    "train": ("a train passes through", "a train rolls by", "a train runs along the rails", "a train crosses a viaduct",
              "a train goes by on a viaduct"),
    "balloon": ("a hot-air balloon drifts through the air", "a hot-air balloon floats by", "a balloon hangs in the air",
                "a hot air balloon sails past", "a striped balloon drifts along"),
    "plane": ("a plane flies by", "a plane crosses the sky", "an airplane passes overhead", "an aircraft flies past",
              "an airliner flies through the picture"),
    "birds": ("birds fly over", "a flock of birds passes", "birds glide through the air", "birds wheel in the air",
              "a flock of birds flies by"),
    "lighthouse": ("a lighthouse sends out its beam", "a lighthouse sweeps its beam around", "the beam of a lighthouse turns",
                   "a lighthouse stands watch", "a lighthouse flashes"),
    "windmill": ("a windmill turns", "the sails of a windmill go round", "a windmill spins its sails", "a windmill turns in the wind"),
    "campfire": ("a campfire burns", "the flames of a campfire flicker", "a campfire flickers", "a bonfire is burning",
                 "sparks fly from a campfire"),
    "waterfall": ("a waterfall plunges down", "a waterfall tumbles over the rocks", "water pours down in a waterfall",
                  "a waterfall foams down", "a cascade falls"),
}

# What happens over the clip, as a clause.
EVENT_CLAUSES = {
    "sunrise": ("the sun rises over the horizon", "the sun climbs into view", "the sun comes up and it grows light",
                "the sun rises", "the sky brightens and the sun appears"),
    "nightfall": ("day turns into night", "darkness falls", "the light fades into night", "it gets dark", "day gives way to night"),
    "storm_coming": ("a storm comes in", "storm clouds roll in", "a storm gathers", "a storm draws near", "a storm is coming",
                     "the weather turns to storm"),
    "lights_on": ("the lights go on", "lights come on one by one", "windows light up", "the lights are switched on",
                  "lights go on in the windows"),
    "timelapse": ("clouds race by in time-lapse", "clouds rush past in a time-lapse", "clouds speed by in timelapse",
                  "clouds fly past as if time ran faster"),
}
EVENT_NAMES = {  # for captions in key words
    "sunrise": ("the sun rising", "rising sun over the horizon"),
    "nightfall": ("day turning into night", "getting dark"),
    "storm_coming": ("storm coming in", "approaching storm", "gathering storm"),
    "lights_on": ("lights going on", "lights coming on"),
    "timelapse": ("timelapse", "time-lapse", "time-lapse of clouds", "timelapse clouds"),
}

# Said after a noun, or before it with a comma.
TIME_PHRASES = {
    "dawn": ("at dawn", "at daybreak", "at sunrise", "at first light", "as day breaks"),
    "morning": ("in the morning", "in the morning hours", "in mid-morning", "in the early morning", "before midday"),
    "noon": ("at noon", "at midday", "in the middle of the day", "at high noon", "in full daylight"),
    "sunset": ("at sunset", "as the sun goes down", "at the golden hour", "at sundown", "as the sun sets"),
    "dusk": ("at dusk", "at twilight", "in the blue hour", "at nightfall", "in the evening"),
    "night": ("at night", "by night", "in the middle of the night", "at midnight", "after dark"),
}
TIME_SENTENCES = {
    "dawn": ("day is breaking", "the first daylight shows", "dawn is breaking", "it is sunrise"),
    "morning": ("it is morning", "the morning is young", "the morning has come"),
    "noon": ("it is noon", "it is the middle of the day", "it is the height of the day", "it is broad daylight"),
    "sunset": ("the sun is setting", "it is sunset", "the sun is going down", "it is the golden hour"),
    "dusk": ("it is dusk", "twilight has come", "night is about to fall", "the blue hour has begun"),
    "night": ("it is night", "night has fallen", "it is the middle of the night", "it is long after dark"),
}
# What the light is like: where the sun or the moon gets through, and where cloud, fog or rain keeps it away.
LIGHT_CLEAR = {
    "dawn": ("the light is soft and pink", "a rosy glow spreads", "pale pink light appears"),
    "morning": ("the light is fresh and cool", "shadows are long and soft", "mild light falls from the side"),
    "noon": ("the light is bright and white", "shadows are short and hard", "strong light falls from above"),
    "sunset": ("the light is warm and orange", "everything glows in gold and orange", "a fiery red glow lies over everything"),
    "dusk": ("the light is dim and blue", "only a faint violet glow remains", "colours fade to blue"),
    "night": ("moonlight lies over everything", "the moon gives a pale silver light", "stars are out"),
}
LIGHT_DULL = {
    "dawn": ("the light is weak and pale", "a first cold glow appears"),
    "morning": ("the light is soft and flat", "there are hardly any shadows"),
    "noon": ("the light is even and flat", "daylight is muted"),
    "sunset": ("the light is fading", "a dull orange glow remains"),
    "dusk": ("the light is almost gone", "everything turns a deep dim blue"),
    "night": ("everything is dark", "it is almost black"),
}

WEATHER_PHRASES = {
    "clear": ("under a clear sky", "under a cloudless sky", "in clear weather", "in fair weather", "in bright sunshine",
              "under a blue sky"),
    "cloudy": ("under drifting clouds", "under a partly cloudy sky", "beneath scattered clouds", "under broken clouds",
               "beneath passing clouds"),
    "overcast": ("under an overcast sky", "beneath a grey sky", "under a blanket of cloud", "in dull overcast weather",
                 "beneath a closed layer of cloud"),
    "fog": ("in fog", "in thick fog", "in the mist", "wrapped in mist", "shrouded in fog", "in a dense haze"),
    "rain": ("in the rain", "in pouring rain", "during a downpour", "in a rain shower", "under falling rain"),
    "snow": ("in falling snow", "during a snowfall", "while snow falls", "in a flurry of snow", "in drifting snowflakes"),
    "storm": ("in a storm", "under storm clouds", "during a thunderstorm", "in stormy weather", "under a dark stormy sky"),
}
WEATHER_ADJECTIVES = {
    "clear": ("sunny", "sunlit"),
    "cloudy": ("cloudy", "partly cloudy"),
    "overcast": ("overcast", "grey"),
    "fog": ("foggy", "misty", "hazy"),
    "rain": ("rainy", "rain-soaked"),
    "snow": ("snow-swept",),
    "storm": ("stormy", "storm-swept"),
}
WEATHER_NAMES = {  # for captions in key words
    "clear": ("clear", "clear sky"),
    "cloudy": ("cloudy", "clouds", "partly cloudy"),
    "overcast": ("overcast", "grey sky"),
    "fog": ("fog", "mist", "foggy"),
    "rain": ("rain", "rainy", "raining"),
    "snow": ("snowfall", "falling snow", "snowing"),
    "storm": ("storm", "stormy", "thunderstorm"),
}
WEATHER_SENTENCES = {
    "clear": ("the sky is clear", "there is not a cloud in sight", "the sky is cloudless", "the weather is clear and dry"),
    "cloudy": ("clouds drift across the sky", "scattered clouds pass overhead", "the sky is partly cloudy",
               "white clouds move by"),
    "overcast": ("the sky is overcast", "a layer of cloud covers the whole sky", "the sky is uniformly grey",
                 "low cloud hangs overhead"),
    "fog": ("thick fog hides the distance", "mist hangs in the air", "fog blurs everything far away", "the air is hazy"),
    "rain": ("rain is falling", "it is raining", "rain pours down", "a rain shower passes"),
    "snow": ("snow is falling", "it is snowing", "snowflakes drift down", "snow comes down softly"),
    "storm": ("a storm is raging", "dark storm clouds fill the sky", "the weather is stormy", "a thunderstorm rolls in"),
}

SEASON_PHRASES = {
    "spring": ("in spring", "in springtime", "in early spring"),
    "summer": ("in summer", "in high summer", "in summertime"),
    "autumn": ("in autumn", "in the fall", "in late autumn"),
    "winter": ("in winter", "in wintertime", "in deep winter"),
}
SEASON_ADJECTIVES = {"spring": ("spring",), "summer": ("summer",), "autumn": ("autumn", "autumnal"), "winter": ("winter", "wintry")}
SEASON_SENTENCES = {
    "spring": ("it is spring", "spring has turned the land fresh green", "the fresh green is that of spring"),
    "summer": ("it is summer", "the land is deep green with summer", "summer is at its height"),
    "autumn": ("it is autumn", "autumn has coloured the land red and gold", "the colours are those of autumn"),
    "winter": ("it is winter", "winter snow lies on the ground", "the ground is white with winter snow"),
}

# Verbs follow "the camera"; shots follow an article and an adjective of speed.
CAMERA_VERBS = {
    "static": ("stays still", "does not move", "remains fixed", "holds one position"),
    "pan_left": ("pans left", "pans to the left", "turns to the left", "sweeps left", "swings to the left"),
    "pan_right": ("pans right", "pans to the right", "turns to the right", "sweeps right", "swings to the right"),
    "tilt_up": ("tilts up", "tilts upwards", "looks up", "turns upwards"),
    "tilt_down": ("tilts down", "tilts downwards", "looks down", "turns downwards"),
    "push_in": ("pushes in", "moves forward", "glides forward", "moves closer", "travels ahead"),
    "pull_back": ("pulls back", "moves backwards", "backs away", "glides backwards", "draws back"),
    "rise": ("rises", "climbs", "lifts upwards", "ascends", "goes up"),
    "descend": ("descends", "sinks", "comes down", "drops lower", "moves downwards"),
    "orbit": ("orbits", "circles around", "moves in an arc", "circles sideways"),
}
CAMERA_SHOTS = {
    "static": ("static shot", "fixed shot", "locked-off shot", "motionless view"),
    "pan_left": ("pan to the left", "left pan", "leftward pan"),
    "pan_right": ("pan to the right", "right pan", "rightward pan"),
    "tilt_up": ("tilt up", "upward tilt"),
    "tilt_down": ("tilt down", "downward tilt"),
    "push_in": ("push in", "forward glide", "dolly forward"),
    "pull_back": ("pull back", "backward glide", "dolly back"),
    "rise": ("crane up", "vertical rise", "upward climb"),
    "descend": ("crane down", "vertical descent", "descending shot"),
    "orbit": ("orbit", "circling shot", "orbiting shot"),
}
SPEED_ADVERBS = {
    "slow": ("slowly", "gently", "at a slow pace", "unhurriedly"),
    "steady": ("steadily", "at an even pace", "smoothly", "at a steady speed"),
    "fast": ("quickly", "rapidly", "swiftly", "at high speed"),
}
SPEED_ADJECTIVES = {"slow": ("slow", "gentle"), "steady": ("steady", "smooth"), "fast": ("fast", "quick", "rapid")}
