"""What people say for the things of the world besides the captions' own phrases: understood, never written."""

# English and French. Keyed (axis, value), joined by "; ".
HEARD = {
    ("family", "mountains"): "mountain; peak; summit; alps; alpine; himalaya; himalayas; rockies; andes; dolomites; massif; ridge; "
                             "ridgeline; montagne; alpes; sommet; sommets; pics; highlands; hill; hills; hillside; valley; valleys; "
                             "colline; vallee; snow-capped; snowcapped",
    ("family", "dunes"): "dune; desert; sahara; erg; sand hills; namib; gobi; arid; sand; sable; desert de sable; dune de sable; "
                         "windblown sand",
    ("family", "forest"): "woods; wood; trees; jungle; rainforest; pine forest; taiga; treetops; canopy; foret; bois; arbres; "
                          "mountain forest; forest in the mountains; foliage; grove; birches; oaks; sapin; pine woods",
    ("family", "lake"): "pond; reservoir; tarn; loch; lac; etang; forest lake; lakes; lakefront; lakeshore",
    ("family", "coast"): "shore; beach; plage; rocky coast; rocky shore; coast; coastal; seacoast; seafront; surf; breakers; sea cliffs; "
                         "cote; littoral; rivage; falaise; cliff; cliffs; cliffs rising; "
                         "bord de mer; shores; tide; lagoon",
    ("family", "ocean"): "sea; ocean; oceans; open water; atlantic; pacific; mer; grand large; pleine mer; haute mer; deep blue; offshore; "
                         "waves; vagues; water to the horizon",
    ("family", "canyon"): "gulch; chasm; grand canyon; badlands; slot canyon; gorges; defile; canon; ravin; arroyo; red rock; sandstone",
    ("family", "city"): "town; downtown; urban; skyline; cities; manhattan; new york; paris; tokyo; london; chicago; hong kong; ville; "
                        "cite; immeubles; gratte-ciel; building; buildings; high rises; rooftops; city lights; "
                        "apartment blocks; skyscraper; village; ville s'allume; ville s'illumine; "
                        "lumieres de la ville s'allument; city lights come on; "
                        "city lights go on; city lights up; san francisco; sydney; rome; venice; dubai; shanghai; singapore",
    ("family", "islands"): "island; islands; isle; isles; atoll; atolls; archipelago; archipel; ile; iles; islets; island chain; "
                           "tropical island; "
                           "desert island; maldives; hawaii; bahamas; caribbean; polynesia; caraibes; iles tropicales; ile deserte",
    ("family", "volcano"): "volcano; volcanoes; volcanic; volcan; volcans; eruption; erupting; erupts; erupt; crater; etna; vesuvius; "
                           "krakatoa; "
                           "kilauea; stromboli; fuji; volcanic eruption; caldera; cratere",
    ("family", "street"): "street; streets; alley; alleyway; lane; avenue; boulevard; road through town; back street; neon alley; "
                          "neon street; "
                          "rue; rues; ruelle; pavement; sidewalk; shops; shopfronts; city streets; shop fronts; storefronts; trottoir; "
                          "cyberpunk; "
                          "main street; high street; chinatown; shibuya; vitrines",
    ("family", "planet"): "planet; planets; outer space; space; earth from space; earth from orbit; globe; orbit around earth; saturn; "
                          "jupiter; "
                          "cosmos; deep space; exoplanet; alien planet; gas giant; planete; espace; terre vue espace; "
                          "earth seen from space; "
                          "universe; terre depuis espace; view from orbit; planet earth; blue marble; celestial body; solar system; "
                          "low orbit",
    ("family", "table"): "table; tabletop; desk; wooden table; still life; table en bois; nature morte; table top; building blocks; "
                         "toy blocks; "
                         "geometric shapes; geometric solids; solids",
    ("feature", "reefs"): "reef; coral; corals; coral reef; recif; recifs; turquoise shallows; coraux",
    ("feature", "one_large"): "large island; big island; main island; grande ile; biggest island",
    ("feature", "lava"): "lava; magma; molten rock; lava flow; lava flows; lava stream; lave; coulee de lave; eruption; erupting; erupts; "
                         "erupt; rivers of lava; "
                         "river of lava; lava river; red hot rock; fire mountain; volcanic eruption; lava fountain; coulees de lave",
    ("feature", "smoke"): "ash cloud; smoke plume; smoking; plume; ash; smokes; fumee; panache; volcanic ash; panache de fumee; "
                          "steam from the crater; "
                          "plume of ash; column of smoke; smoking volcano; volcan fumant",
    ("feature", "neon"): "neon; neons; neon signs; neon alley; neon street; cyberpunk; glowing signs; enseignes; shibuya; chinatown; "
                         "neon-lit; "
                         "neon lit; enseignes lumineuses",
    ("feature", "awnings"): "awning; stores; auvents; market stalls",
    ("feature", "ring"): "ringed; ring; rings; saturn; ringed planet; anneau; anneaux; planetary rings",
    ("feature", "moon"): "moon; moons; lune; satellite; moon orbiting",
    ("feature", "city_lights"): "city lights; night lights; lights of the cities; lumieres des villes; lights of cities; "
                                "glowing cities; cities glow on the night side; lit cities",
    ("feature", "cloth"): "cloth; tablecloth; table cloth; nappe; linen; fabric",
    ("subject", "boat"): "sailboat; sail boat; sailing boat; sailing ship; boat; boats; yacht; schooner; sailing vessel; dinghy; sails; "
                         "sailing; voilier; "
                         "voiliers; bateau; bateaux; bateau a voiles; bateau a voile; catamaran; regatta; sailboats; fishing boat; sloop; "
                         "barque",
    ("subject", "car"): "car; cars; automobile; vehicle; suv; jeep; sedan; sports car; convertible; voiture; voitures; auto; taxi; cab; "
                        "old car; vintage car; drives a car",
    ("subject", "train"): "train; trains; steam train; locomotive; railway; railroad; steam engine; express train; freight train; "
                          "train a vapeur; "
                          "chemin de fer; tgv; rails; steam locomotive; bullet train; wagons; viaduct; viaduc",
    ("subject", "balloon"): "hot air balloon; hot air balloons; hot-air balloons; balloon; balloons; montgolfiere; montgolfieres; "
                            "aerostat; ballon; "
                            "ballons; air balloon; ballooning",
    ("subject", "plane"): "plane; planes; airplane; airplanes; aeroplane; aircraft; jet; airliner; jetliner; propeller plane; biplane; "
                          "avion; "
                          "avions; passenger jet; seaplane; glider plane; airplane flying; plane flying; aeroplane flying",
    ("subject", "birds"): "bird; birds; flock; flock of birds; gull; gulls; seagull; seagulls; geese; swallows; crows; oiseau; oiseaux; "
                          "mouette; "
                          "mouettes; hirondelles; starlings; murmuration; migrating birds; wild geese; birds circling; birds flying; "
                          "oies sauvages; "
                          "volee d'oiseaux; pigeons; storks; cranes flying; pelicans; birds rising",
    ("subject", "lighthouse"): "lighthouse; lighthouses; light house; phare; phares; beacon; lighthouse beam; faisceau d'un phare",
    ("subject", "windmill"): "windmill; windmills; wind mill; moulin; moulins; moulin a vent; moulins a vent; mill; dutch windmill; "
                             "old mill",
    ("subject", "campfire"): "campfire; camp fire; bonfire; fire; fireside; feu de camp; feu; camping fire; open fire; embers; campfires; "
                             "flames; "
                             "brasier; feu de bois; fire burning",
    ("subject", "waterfall"): "waterfall; waterfalls; water fall; cascade; cascades; cataract; chute d'eau; chutes d'eau; niagara; "
                              "cascading water; cataracte; waterfall falling",
    ("event", "sunrise"): "sun rises; sun rising; sun is rising; sun comes up; sun coming up; sun climbs; soleil se leve; jour se leve; "
                          "sun breaks the horizon; sun appears; sun emerges; sun peeks over the horizon; sun peeks over",
    ("event", "nightfall"): "day to night; day into night; day turns to night; turns to night; daylight fades; daylight fading; "
                            "getting dark; "
                            "grows dark; growing dark; darkness comes; darkness creeps; nuit tombe; jour cede a la nuit; "
                            "turning to night; becomes night; "
                            "it gets darker; gets darker; from day to night; jour a la nuit; obscurite tombe",
    ("event", "storm_coming"): "storm coming; storm coming in; storm rolling in; storm rolls in; storm approaching; storm approaches; "
                               "approaching storm; incoming storm; "
                               "storm brewing; storm brews; gathering storm; storm moves in; storm moving in; storm front; "
                               "storm building; storm is building; "
                               "storm clouds gather; clouds gather; storm gathering; storm nears; orage arrive; tempete arrive; "
                               "orage approche; tempete approche; "
                               "orage se prepare; orage qui arrive; tempete se leve; tempete qui arrive; storm coming closer; "
                               "weather turning bad; "
                               "before the storm breaks; thunderheads building; storm on its way; storm drawing near; storm sweeping in; "
                               "orage eclate",
    ("event", "lights_on"): "lights turn on; lights turning on; lights come on; lights coming on; lights go on; lights going on; "
                            "lights switch on; lamps come on; "
                            "lights being switched on; windows light up; windows lighting up; lights flicker on; streetlights come on; "
                            "lampposts come on; street lamps come on; lumieres s'allument; "
                            "reverberes s'allument; fenetres s'allument; lamps are lit; city lights up; lights up window by window; "
                            "lights blink on; lampadaires s'allument; neon signs switch on; neon comes on; enseignes s'allument; "
                            "windows start to glow; ville s'allume; "
                            "lumieres de la ville s'allument; ville s'illumine; city lights come on; city lights go on",
    ("event", "timelapse"): "timelapse; time lapse; time-lapse; hyperlapse; sped up; fast motion; speeded up; accelere; image par image; "
                            "clouds racing; clouds race; clouds racing by; clouds rushing; racing clouds; fast clouds; clouds streaking; "
                            "clouds speeding; en accelere; "
                            "nuages en accelere; nuages qui defilent; clouds stream past",
    ("feature", "pines"): "pine; pines; firs; fir trees; spruces; evergreens; pins; sapins; conifer; pine-covered",
    ("feature", "rocks"): "rock; stones; boulders; rochers; outcrop; rock formations",
    ("feature", "river"): "rivers; stream; creek; riviere; fleuve; brook; ruisseau; colorado river",
    ("feature", "clearing"): "meadow; clairiere; glade; field",
    ("feature", "islands"): "island; isle; islet; iles; ile",
    ("feature", "mountains_behind"): "mountains on the far side; mountains on the horizon; mountains around; surrounded by mountains; "
                                     "ringed by mountains; mountain backdrop; entoure de montagnes; surrounded by peaks; "
                                     "mountains rising behind",
    ("feature", "cliffs"): "cliff; cliffs; bluffs; falaise; falaises; headland; rocky coast; rocky shore; sea cliffs; cliffs rising",
    ("feature", "sandy_beach"): "beach; beaches; plage; sandy; sands",
    ("feature", "swell"): "huge waves; giant waves; rolling swell; high waves; towering waves; houle; rolling waves; swells",
    ("feature", "whitecaps"): "white caps; white horses; foam; spray; foamy; ecume; froth",
    ("feature", "mesas"): "mesa; butte; buttes; plateaus; plateau",
    ("feature", "towers"): "tower; skyscrapers; skyscraper; high rise; high rises; tours; gratte-ciel; glass towers; tall buildings",
    ("feature", "bay"): "harbor; port; waterfront; baie; riverfront",
    ("time_of_day", "dawn"): "dawn; sunrise; daybreak; rising sun; sun rises; sunup; aube; lever du soleil; lever de soleil; aurore; "
                             "sun is rising; sun barely up; sun just up; sun coming up; break of day; sun rising; first rays; "
                             "crack of dawn; "
                             "cockcrow; cock crow; cocks crow; rooster crows; roosters crow; roosters crowing; first birds; dawn chorus; "
                             "before sunrise; new day begins; start of the day; as the world wakes; world wakes up; point du jour; petit "
                             "jour; petit matin",
    ("time_of_day", "morning"): "morning; mornings; matin; matinee; breakfast; forenoon; morning light; early in the day; "
                                "before lunch; before noon; before midday; morning coffee; brunch; breakfast time; mid morning; after "
                                "breakfast; after sunrise; matinal",
    ("time_of_day", "noon"): "noon; midday; daytime; daylight; midi; afternoon; apres-midi; plein jour; day; noonday; lunchtime; "
                             "sun overhead; noontime; jour; "
                             "lunch; lunch hour; lunch break; after lunch; high sun; sun at its highest; sun at its height; sun at its "
                             "zenith; zenith; siesta; heat of the day; hottest hour; short shadows; early afternoon; mid afternoon; "
                             "teatime; tea time; plein midi; dejeuner",
    ("time_of_day", "sunset"): "sunset; sundown; golden hour; setting sun; coucher de soleil; coucher du soleil; late afternoon; "
                               "end of the day; soleil couchant; last rays; golden light; orange sky; low evening sun; sun dips; "
                               "sun sinking; sun sinks; sun goes down; sun dropping; close of day; evening sun; heure doree; "
                               "day's end; end of day; sinking sun; low sun; sun low; sun slips away; sun touches the horizon; sun melts; "
                               "sky on fire; sky ablaze; burning sky; red sky; crimson sky; amber light; copper light; dying light; dying "
                               "day; evening glow; alpenglow; fin du jour; soleil se couche; soleil decline; day draws to a close; day is "
                               "ending; day ends",
    ("time_of_day", "dusk"): "dusk; twilight; evening; nightfall; blue hour; crepuscule; soir; soiree; gloaming; after sunset; "
                             "just after sunset; after sundown; last light; heure bleue; night falls; before night; tombee de la nuit; "
                             "half-light; between day and night; entre chien et loup; evenfall; eventide; suppertime; dinner time; after "
                             "dinner; failing light; fading light; light almost gone; light is nearly gone; light is going; first stars; "
                             "first star; violet hour; fireflies; brune; day is over",
    ("time_of_day", "night"): "night; nighttime; midnight; moonlight; moonlit; starry; stars; moon; lune; nuit; full moon; starlight; "
                              "nocturnal; milky way; minuit; nuit etoilee; clair de lune; etoile; small hours; dead of night; darkness; "
                              "nocturne; pitch dark; pitch black; blackness; witching hour; after midnight; wee hours; bedtime; past "
                              "bedtime; constellations; starlit; star-filled; star-studded; starry-eyed night; asleep; world sleeps; "
                              "everyone sleeps; city sleeps; town sleeps; sleeping city; sleeping town; moonless; moonrise; crescent "
                              "moon; shooting stars; meteor shower; under the stars; stargazing; nuit noire; pleine nuit; coeur de la "
                              "nuit; long after sunset; lamplit",
    ("weather", "clear"): "clear; sun; sunlight; sunny; cloudless; blue sky; blue skies; clear skies; sunshine; bright sun; no clouds; "
                          "ensoleille; "
                          "beau temps; ciel bleu; ciel clair; ciel degage; without a cloud; not a cloud; fine weather; blazing sun; "
                          "crisp air; sunlit; sans nuages; cloud-free; soleil; nuit claire; temps clair; "
                          "azure; azure sky; spotless sky; glorious day; glorious weather; picnic weather; beach weather; sun-drenched; "
                          "sun-bathed; sun-soaked; sun-kissed; sun-baked; scorching; heatwave; heat wave; sweltering; unclouded; nothing "
                          "but blue; perfect visibility; dazzling sun; brilliant sunlight; grand soleil; azur; radieux; plein soleil; "
                          "perfect weather; good weather; nice weather; not one cloud; not a single cloud",
    ("weather", "cloudy"): "clouds; cloud; cloudy; puffy clouds; fluffy clouds; some clouds; nuage; nuages; nuageux; few clouds; "
                           "clouds rolling by; cumulus; white clouds; "
                           "cotton wool; cottony; woolly clouds; patchy sky; patches of blue; sun and clouds; cirrus; mackerel sky; "
                           "billowing clouds; wisps of cloud; wispy clouds; cloud shadows; moutons; partiellement nuageux; clouds drift; "
                           "clouds drift by; clouds sail by",
    ("weather", "overcast"): "overcast; grey; gray; grey skies; gray sky; gray skies; heavy clouds; leaden sky; gloomy; couvert; "
                             "ciel gris; gris; cloud cover; dull day; low clouds; grey clouds; thick clouds; leaden; dreary; "
                             "low grey clouds; gray clouds; grey day; grey light; no sun; "
                             "drab; pewter; slate sky; slate grey; steel grey; steely sky; sunless; lid of cloud; flat light; colourless "
                             "sky; colorless sky; cheerless; dismal; sombre sky; stratus; ashen; ashen sky; featureless sky; maussade; "
                             "grisaille; dull sky; dull light; sky is dull; sun hidden",
    ("weather", "fog"): "fog; mist; haze; foggy; misty; hazy; brouillard; brume; brumeux; mist rising; rising mist; fogbound; murk; "
                        "smog; low fog; whiteout; poor visibility; sea fog; foggy day; misty day; "
                        "murky; pea soup; pea souper; thick veil; white veil; veil of white; cannot see far; can't see far; can hardly "
                        "see; barely visible; hardly visible; vapour; vapor; vapours; milky air; pall; obscured; lost in white; swallowed "
                        "in white; ghostly shapes; dim shapes; puree de pois; veiled; enveloped in white; cloud on the ground",
    ("weather", "rain"): "rain; rains; rainy; drizzle; raining; downpour; shower; wet; pluie; pluvieux; pleut; averse; rainfall; "
                         "drizzling; rainy day; heavy rain; light rain; soaking; monsoon; raindrops; pouring; rainstorm; "
                         "drenched; drenching; bucketing; cats and dogs; pelting; deluge; cloudburst; dripping; sodden; soaked; "
                         "torrential; torrents; raincoats; wellies; bruine; crachin; giboulee; il tombe des cordes; trempe; mouille; "
                         "water pours from the sky; wet weather; rain-slick; rain-slicked; rain-washed",
    ("weather", "snow"): "snow; snowfall; snowing; snowflakes; snowstorm; blizzard; neige; flocons; tempete de neige; falling snow; "
                         "neige qui tombe; flurries; light snow; heavy snow; flakes; il neige; "
                         "white flakes; whirling flakes; flake; falling flakes; swirling flakes; frozen flakes; wintry shower; snow "
                         "globe; snow shower; snow in the air; white-out blizzard; flocons blancs; bourrasque de neige",
    ("weather", "storm"): "storm; stormy; thunder; thunderstorm; lightning; tempest; gale; hurricane; orage; tempete; sandstorm; "
                          "thunderclouds; dark clouds; squall; typhoon; eclair; orageux; storms; black clouds; howling wind; "
                          "thunderbolt; thunderbolts; bolts of lightning; gales; cyclone; tempestuous; wild weather; foul weather; filthy "
                          "weather; squalls; gusts; violent wind; furious wind; furious winds; raging wind; angry sky; thunderous; "
                          "thunderheads; foudre; tonnerre; ouragan; bourrasque; bourrasques; electrical storm; storm-tossed; "
                          "storm-lashed; storm-battered",
    ("season", "spring"): "spring; springtime; printemps; spring thaw; april; spring green",
    ("season", "summer"): "summer; summertime; ete; july; august; summery; midsummer; june",
    ("season", "autumn"): "autumn; fall colors; fall colours; fall foliage; automne; october; november; autumn leaves; autumnal; "
                          "fall forest; golden leaves; red leaves; in fall; fall leaves; autumn colours; orange leaves; fall woods",
    ("season", "winter"): "winter; wintry; snowy; hiver; snow-covered; snow-capped; snowcapped; covered in snow; under snow; january; "
                          "december; february; frozen; snow on the ground; snow on the peaks; enneige; enneigees; midwinter; icy; "
                          "fresh snow; blanketed in snow; deep snow; wintertime; snowbound; snow lies; couvert de neige",
    ("camera", "static"): "static; tripod; fixed camera; still camera; camera fixed; locked off; stationary; no camera movement; "
                          "camera still; camera is still; fixed; camera holds; unmoving; motionless; locked camera; camera steady; "
                          "plan fixe; still shot; camera locked; stays where it is; stays put; camera does not move; camera doesn't move; "
                          "camera never moves; camera stands still; camera stays still; camera at rest",
    ("camera", "pan_left"): "pan left; panning left; move left; drift left; look left; travel left; track left; slide left; "
                            "panoramique a gauche; panoramique gauche; vers la gauche; pan from right to left; right to left; "
                            "move from right to left; sweep from right to left; pan to left; turn left; "
                            "sweep left; swing left; glide left; turning left; from right to left",
    ("camera", "pan_right"): "pan right; panning right; move right; drift right; look right; travel right; track right; slide right; "
                             "panoramique a droite; panoramique droite; vers la droite; pan from left to right; left to right; "
                             "move from left to right; sweep from left to right; turn right; "
                             "sweep right; swing right; glide right; turning right; from left to right",
    ("camera", "tilt_up"): "tilt up; tilt upward; tilt skyward; tilt toward the sky; tilt towards the sky; look upward; look up; "
                           "camera looking up; tilt to the sky; tilt from the ground to the sky",
    ("camera", "tilt_down"): "tilt down; tilt downward; look downward; tilt toward the ground; tilt down from the sky; tilt to the ground",
    ("camera", "push_in"): "push in; zoom in; dolly in; forward; fly over; flying over; flyover; fly through; flying through; fly into; "
                           "walking; walk; walk me; driving; drive; drive me; "
                           "move in; closer; fly toward; fly towards; move toward; move towards; approach; advance; push toward; "
                           "push towards; travelling avant; avance; creep in; move into; drone flight; flight; fly across; glide over; "
                           "glide in",
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

# Hours of the clock, by what the light is like in most places most of the year.
_HOURS = {"dawn": "5am 6am", "morning": "7am 8am 9am 10am", "noon": "11am 12pm 1pm 2pm 3pm 4pm 5pm", "sunset": "6pm 7pm", "dusk": "8pm 9pm",
          "night": "10pm 11pm 12am 1am 2am 3am 4am"}
HEARD |= {
    ("time_of_day", time): "; ".join([HEARD["time_of_day", time], *(f"{hour}; {hour[:-2]} {hour[-2:]}" for hour in hours.split())])
    for time, hours in _HOURS.items()
}

# More names of places, apart since they are many.
_PLACES = {
    "mountains": "foothills; crag; crags; cordillera; sierra; pinnacle; pinnacles; snowfield; snowfields; mountaintop; mountaintops; "
                 "pyrenees; carpathians; matterhorn; mont blanc; mountaineers; mountain pass; versant",
    "dunes": "dunefield; barren; parched; sea of sand; ocean of sand; sand sea; shifting sands; waterless; sahel; kalahari; atacama; "
             "mojave; empty quarter; bedouin; bedouins",
    "forest": "woodland; woodlands; thicket; copse; undergrowth; sequoias; redwoods; beeches; maples; conifers; sous-bois; leafy; "
              "wooded; boreal; backwoods",
    "lake": "millpond; waterhole; lochs; lakeside; inland water; lake water",
    "coast": "seashore; seaside; oceanfront; foreshore; riviera; shoreline; coastline; rock pools; tide pools; sandbank; greve; land "
             "meets the sea; edge of the sea; sea's edge; beside the sea; beside the "
             "ocean; near the sea; near the ocean; along the sea; along the ocean; next to the sea; next to the ocean",
    "ocean": "high seas; open sea; seascape; billows; brine; briny; oceanic; seven seas; salt water; mid-ocean; flots",
    "canyon": "ravine; ravines; gully; gullies; gorge; canyons; hoodoos; utah; arizona; monument valley; rock walls; sandstone walls; "
              "sheer walls",
    "city": "metropolis; megacity; cityscape; metropolitan; concrete jungle; office blocks; tower blocks; financial district; "
            "berlin; moscow; los angeles; istanbul; mumbai; seoul; toronto; madrid; barcelona; urbain",
    "islands": "cay; cays; islet; cyclades; galapagos; seychelles; fiji; tahiti; skerries; ilot; ilots",
    "volcano": "cinder cone; smoking mountain; pinatubo; mauna loa; popocatepetl",
    "street": "thoroughfare; cobblestones; cobbled; crosswalk; intersection; roadway; night market; bazaar; asphalt; kerb; curb; lamp "
              "posts; streetlamps; passants",
    "planet": "interplanetary; neptune; uranus; orb; space station; celestial; spacewalk; heavenly body; heavenly bodies; planetary; "
              "starfield; void of space; orbital; earthrise; pluto",
    "table": "countertop; workbench",
}
HEARD |= {("family", family): f"{HEARD['family', family]}; {said}" for family, said in _PLACES.items()}

# What comes nearest to words the world does not have; the reader is told, and it stands in where the prompt says nothing else.
NEAREST = {
    "mountains": "glacier everest fjord cliffside slope slopes highland",
    "dunes": "camel camels caravan wasteland mars moonscape savanna oasis pyramid pyramids steppe",
    "forest": "park garden jungles swamp leaf leaves tree orchard bamboo bush deer bear jardin arbre",
    "lake": "pool pier dock canoe kayak swan swans ducks wetland wetlands marsh piscine",
    "coast": "palm palms tropical surfer surfers sandcastle cove",
    "ocean": "whale whales dolphin dolphins underwater submarine shark baleine",
    "canyon": "cave cowboy horseback grotte",
    "city": "house houses apartment office crowd subway maison pont bridge",
    "street": "traffic pedestrians bus tram bicycle cafe market",
    "planet": "asteroid comet spaceship rocket astronaut nebula",
    "table": "vase toys toy kitchen fruit apple cup bowl",
    "night": "fireworks aurora galaxy northern", "noon": "today", "storm": "wind windy tornado thundering vent",
    "rain": "umbrella umbrellas puddles rainbow", "snow": "skiing skier skiers snowman sleet ice hail", "fog": "smoke steam dust",
    "cloudy": "sunbeams",
    "boat": "ship ships ferry vessel raft navire", "car": "truck trucks lorry van motorbike motorcycle camion moto",
    "balloon": "zeppelin airship blimp",
    "plane": "helicopter helicopters", "birds": "eagle eagles hawk owl aigle", "windmill": "turbine turbines",
}

# What weights that were taught less than the world show in place of what they do not know, where anything comes near.
INSTEAD = {
    ("family", "islands"): "lake", ("family", "volcano"): "mountains", ("family", "street"): "city", ("subject", "boat"): "ocean",
    ("subject", "car"): "city", ("subject", "balloon"): "rise", ("subject", "lighthouse"): "coast", ("subject", "waterfall"): "canyon",
    ("event", "sunrise"): "dawn", ("event", "nightfall"): "dusk", ("event", "storm_coming"): "storm", ("event", "timelapse"): "cloudy",
}

# These say something of the camera only where the camera is spoken of, or where they begin a clause: cliffs rise too.
LOOSE_CAMERA = (
    "rise; rising; climb; drop; lower; sink; fixed; lift; look up; look down; go up; go down; come down; closer; lift off; "
    "turn right; turn left; move closer; approach; reveal wide; advance; arc; circle; circling; steady; spin around; going "
    "up; going down; move down; move up; draw back; move forward; back up; recule; monte; drop down; drop lower; retreat; "
    "motionless; drift left; drift right; walking; walk; walk me; driving; drive; drive me"
)
