"""The words of the world: every phrase a caption may use, by axis and value, and what else a person may say for it.

Said once: captions.py speaks from the tables here, prompts.py recognises all of them and HEARD besides.
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
}

# Said after a noun, or before it with a comma.
TIME_PHRASES = {
    "dawn": ("at dawn", "at daybreak", "at sunrise", "at first light", "as the sun comes up"),
    "morning": ("in the morning", "in the morning hours", "in mid-morning", "in the early morning", "before midday"),
    "noon": ("at noon", "at midday", "in the middle of the day", "at high noon", "in full daylight"),
    "sunset": ("at sunset", "as the sun goes down", "at the golden hour", "at sundown", "as the sun sets"),
    "dusk": ("at dusk", "at twilight", "in the blue hour", "at nightfall", "in the evening"),
    "night": ("at night", "by night", "in the middle of the night", "at midnight", "after dark"),
}
TIME_SENTENCES = {
    "dawn": ("day is breaking", "the sun is just coming up", "dawn is breaking", "it is sunrise"),
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

# What people say besides, English and French; understood, never written. Keyed (axis, value), joined by "; ".
HEARD = {
    ("family", "mountains"): "mountain; peak; summit; alps; alpine; himalaya; himalayas; rockies; andes; dolomites; massif; ridge; "
                             "ridgeline; montagne; alpes; sommet; sommets; pics; highlands; hill; hills; hillside; valley; valleys; colline; vallee; snow-capped; snowcapped; volcano",
    ("family", "dunes"): "dune; desert; sahara; erg; sand hills; namib; gobi; arid; sand; sable; desert de sable; dune de sable; windblown sand",
    ("family", "forest"): "woods; wood; trees; jungle; rainforest; pine forest; taiga; treetops; canopy; foret; bois; arbres; "
                          "mountain forest; forest in the mountains; foliage; grove; birches; oaks; sapin; pine woods",
    ("family", "lake"): "pond; reservoir; tarn; loch; lac; etang; forest lake; lakes; lakefront; lakeshore",
    ("family", "coast"): "shore; beach; plage; rocky coast; rocky shore; coast; coastal; seacoast; seafront; surf; breakers; sea cliffs; cote; littoral; rivage; falaise; cliff; cliffs; cliffs rising; "
                         "bord de mer; shores; tide; lagoon",
    ("family", "ocean"): "sea; ocean; oceans; open water; atlantic; pacific; mer; large; pleine mer; haute mer; deep blue; offshore; "
                         "waves; vagues; water to the horizon",
    ("family", "canyon"): "gulch; chasm; grand canyon; badlands; slot canyon; gorges; defile; canon; ravin; arroyo; red rock; sandstone",
    ("family", "city"): "town; downtown; urban; skyline; cities; manhattan; new york; paris; tokyo; london; chicago; hong kong; ville; "
                        "cite; immeubles; gratte-ciel; building; buildings; high rises; rooftops; city lights; city streets; "
                        "apartment blocks; skyscraper; village; streets; san francisco; sydney; rome; venice; dubai; shanghai; singapore",
    ("feature", "pines"): "pine; pines; firs; fir trees; spruces; evergreens; pins; sapins; conifer; pine-covered",
    ("feature", "rocks"): "rock; stones; boulders; rochers; outcrop; rock formations",
    ("feature", "river"): "rivers; stream; creek; riviere; fleuve; brook; ruisseau; colorado river",
    ("feature", "clearing"): "meadow; clairiere; glade; field",
    ("feature", "islands"): "island; isle; islet; iles; ile",
    ("feature", "mountains_behind"): "mountains on the far side; mountains on the horizon; mountains around; surrounded by mountains; "
                                     "ringed by mountains; mountain backdrop; entoure de montagnes; surrounded by peaks; mountains rising behind",
    ("feature", "cliffs"): "cliff; cliffs; bluffs; falaise; falaises; headland; rocky coast; rocky shore; sea cliffs; cliffs rising",
    ("feature", "sandy_beach"): "beach; beaches; plage; sandy; sands",
    ("feature", "swell"): "huge waves; giant waves; rolling swell; high waves; towering waves; houle; rolling waves; swells",
    ("feature", "whitecaps"): "white caps; white horses; foam; spray; foamy; ecume; froth",
    ("feature", "mesas"): "mesa; butte; buttes; plateaus; plateau",
    ("feature", "towers"): "tower; skyscrapers; skyscraper; high rise; high rises; tours; gratte-ciel; glass towers; tall buildings",
    ("feature", "bay"): "harbor; port; waterfront; baie; riverfront",
    ("time_of_day", "dawn"): "dawn; sunrise; daybreak; rising sun; sun rises; sunup; aube; lever du soleil; lever de soleil; aurore; "
                             "sun is rising; sun barely up; sun just up; sun coming up; break of day; sun rising; first rays; crack of dawn",
    ("time_of_day", "morning"): "morning; mornings; matin; matinee; breakfast; forenoon; morning light; early in the day",
    ("time_of_day", "noon"): "noon; midday; daytime; daylight; midi; afternoon; apres-midi; plein jour; day; noonday; lunchtime; "
                             "sun overhead; noontime; jour",
    ("time_of_day", "sunset"): "sunset; sundown; golden hour; setting sun; coucher de soleil; coucher du soleil; late afternoon; "
                               "end of the day; soleil couchant; last rays; golden light; orange sky; low evening sun; sun dips; "
                               "sun sinking; sun sinks; sun goes down; sun dropping; close of day; evening sun; heure doree",
    ("time_of_day", "dusk"): "dusk; twilight; evening; nightfall; blue hour; crepuscule; soir; soiree; gloaming; after sunset; "
                             "just after sunset; after sundown; last light; heure bleue; night falls; before night; tombee de la nuit",
    ("time_of_day", "night"): "night; nighttime; midnight; moonlight; moonlit; starry; stars; moon; nuit; full moon; starlight; "
                              "nocturnal; milky way; minuit; nuit etoilee; clair de lune; etoile; small hours; dead of night; darkness",
    ("weather", "clear"): "clear; sun; sunlight; sunny; cloudless; blue sky; blue skies; clear skies; sunshine; bright sun; no clouds; ensoleille; "
                          "beau temps; ciel bleu; ciel clair; ciel degage; without a cloud; not a cloud; fine weather; blazing sun; "
                          "crisp air; sunlit; sans nuages; cloud-free; soleil",
    ("weather", "cloudy"): "clouds; cloud; cloudy; puffy clouds; fluffy clouds; some clouds; nuage; nuages; nuageux; few clouds; "
                           "clouds rolling by; cumulus; white clouds",
    ("weather", "overcast"): "overcast; grey; gray; grey skies; gray sky; gray skies; heavy clouds; leaden sky; gloomy; couvert; "
                             "ciel gris; gris; cloud cover; dull day; low clouds; grey clouds; thick clouds; leaden; dreary; "
                             "low grey clouds; gray clouds; grey day; grey light; no sun",
    ("weather", "fog"): "fog; mist; haze; foggy; misty; hazy; brouillard; brume; brumeux; mist rising; rising mist; fogbound; murk; "
                        "smog; low fog; whiteout; poor visibility; sea fog; foggy day; misty day",
    ("weather", "rain"): "rain; rains; rainy; drizzle; raining; downpour; shower; wet; pluie; pluvieux; pleut; averse; rainfall; "
                         "drizzling; rainy day; heavy rain; light rain; soaking; monsoon; raindrops; pouring; rainstorm",
    ("weather", "snow"): "snow; snowfall; snowing; snowflakes; snowstorm; blizzard; neige; flocons; tempete de neige; falling snow; "
                         "neige qui tombe; flurries; light snow; heavy snow; flakes; il neige",
    ("weather", "storm"): "storm; stormy; thunder; thunderstorm; lightning; tempest; gale; hurricane; orage; tempete; sandstorm; "
                          "thunderclouds; dark clouds; squall; typhoon; eclair; orageux; storms; black clouds; howling wind",
    ("season", "spring"): "spring; springtime; printemps; spring thaw; april; spring green",
    ("season", "summer"): "summer; summertime; ete; july; august; summery; midsummer; june",
    ("season", "autumn"): "autumn; fall colors; fall colours; fall foliage; automne; october; november; autumn leaves; autumnal; "
                          "fall forest; golden leaves; red leaves; in fall; fall leaves; autumn colours; orange leaves; fall woods",
    ("season", "winter"): "winter; wintry; snowy; hiver; snow-covered; snow-capped; snowcapped; covered in snow; under snow; january; "
                          "december; february; frozen; snow on the ground; snow on the peaks; enneige; enneigees; midwinter; icy; "
                          "fresh snow; blanketed in snow; deep snow; wintertime; snowbound; snow lies; couvert de neige",
    ("camera", "static"): "static; tripod; fixed camera; still camera; camera fixed; locked off; stationary; no camera movement; "
                          "camera still; camera is still; fixed; camera holds; unmoving; motionless; locked camera; camera steady; "
                          "plan fixe; still shot; camera locked; stays where it is; stays put; camera does not move; camera doesn't move; camera never moves",
    ("camera", "pan_left"): "pan left; panning left; move left; drift left; look left; travel left; track left; slide left; "
                            "panoramique a gauche; panoramique gauche; vers la gauche; pan from right to left; right to left; move from right to left; sweep from right to left; pan to left; turn left; "
                            "sweep left; swing left; glide left; turning left; from right to left",
    ("camera", "pan_right"): "pan right; panning right; move right; drift right; look right; travel right; track right; slide right; "
                             "panoramique a droite; panoramique droite; vers la droite; pan from left to right; left to right; move from left to right; sweep from left to right; turn right; "
                             "sweep right; swing right; glide right; turning right; from left to right",
    ("camera", "tilt_up"): "tilt up; tilt upward; tilt skyward; tilt toward the sky; tilt towards the sky; look upward; look up; "
                           "camera looking up; tilt to the sky; tilt from the ground to the sky",
    ("camera", "tilt_down"): "tilt down; tilt downward; look downward; tilt toward the ground; tilt down from the sky; tilt to the ground",
    ("camera", "push_in"): "push in; zoom in; dolly in; forward; fly over; flying over; flyover; fly through; flying through; fly into; "
                           "move in; closer; fly toward; fly towards; move toward; move towards; approach; advance; push toward; "
                           "push towards; travelling avant; avance; creep in; move into; drone flight; flight; fly across; glide over; glide in",
    ("camera", "pull_back"): "pull back; pull out; pull away; zoom out; dolly out; backward; move back; move away; fly backwards; "
                             "travelling arriere; recule; retreat; back off; move out; fly back; back up; drift back; reveal wide",
    ("camera", "rise"): "rise; rising; ascend; climb; crane up; boom up; lift off; move up; go up; camera up; float up; drone rises; "
                        "soar up; lift; going up; monte; s'eleve; rise up; drone going up; fly up; ascent",
    ("camera", "descend"): "descend; descending; crane down; boom down; lower; sink; drop down; come down; float down; go down; "
                           "descent; descend; fly down; camera down; drop; come in to land; going down; move down",
    ("camera", "orbit"): "orbit; circle; circling; arc; rotate around; rotating around; fly around; flying around; 360; revolve; "
                         "go around; travel around; move around; tourne autour; spin around; swing around; circular",
    ("speed", "slow"): "slow; slowly; lent; lente; lentement; leisurely; unhurried; gradually; doucement; gradual; gently",
    ("speed", "steady"): "steadily; smoothly; steady pace; constant speed; even speed",
    ("speed", "fast"): "fast; quick; quickly; rapid; rapidly; swift; swiftly; rapide; rapidement; vite; racing; rushing; speeding; "
                       "high speed; hurried; fast-moving; full speed; top speed",
}

# What comes nearest to words the world does not have; the reader is told, and it stands in where the prompt says nothing else.
NEAREST = {
    "mountains": "glacier everest fjord cliffside slope slopes highland volcanoes",
    "dunes": "camel camels caravan wasteland mars moonscape savanna oasis pyramid pyramids steppe",
    "forest": "park garden jungles swamp leaf leaves tree orchard bamboo bush deer bear garden jardin arbre",
    "lake": "pool pier dock canoe kayak swan swans ducks wetland wetlands marsh piscine",
    "coast": "seagull seagulls lighthouse palm palms tropical surfer surfers sandcastle dock phare cove",
    "ocean": "whale whales dolphin dolphins ship ships sailboat yacht underwater submarine shark baleine bateau",
    "canyon": "waterfall waterfalls cave rapids cowboy horseback cascade grotte",
    "city": "street traffic car cars bridge house houses apartment neon office crowd subway rue maison pont taxi",
    "night": "fireworks aurora galaxy northern", "noon": "today", "storm": "wind windy tornado thundering vent",
    "rain": "umbrella umbrellas puddles rainbow", "snow": "skiing skier skiers snowman sleet ice hail", "fog": "smoke steam dust",
    "cloudy": "sunbeams", "push in": "walking driving walk drive", "rise": "balloon helicopter",
}

# These say something of the camera only where the camera is spoken of, or where they begin a clause: cliffs rise too.
LOOSE_CAMERA = (
    "rise; rising; climb; drop; lower; sink; fixed; lift; look up; look down; go up; go down; come down; closer; lift off; "
    "turn right; turn left; move closer; approach; reveal wide; advance; arc; circle; circling; steady; spin around; going "
    "up; going down; move down; move up; draw back; move forward; back up; recule; monte; drop down; drop lower; retreat; "
    "motionless; drift left; drift right"
)
