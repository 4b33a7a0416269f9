"""The words a made-up company is built from: names, nicknames, streets, towns, trades.

Pure tables, read by `people`, `contacts` and `lists`. Every mail domain ends in `.example` (reserved, can never be
delivered) and every phone number uses the 555 exchange, so nothing made here can reach a living person.
"""

# Given name -> the short forms people sign with. The empty tuple: no short form in use.
GIVEN_NAMES: dict[str, tuple[str, ...]] = {
    "Robert": ("Bob", "Rob", "Bobby"), "William": ("Bill", "Will", "Billy"), "Elizabeth": ("Liz", "Beth", "Betty"),
    "Margaret": ("Peggy", "Maggie", "Meg"), "Katherine": ("Kathy", "Kate", "Katie"),
    "Richard": ("Rick", "Dick", "Rich"),
    "James": ("Jim", "Jimmy"), "John": ("Jack", "Johnny"), "Michael": ("Mike", "Mick"), "Thomas": ("Tom", "Tommy"),
    "Joseph": ("Joe", "Joey"), "Charles": ("Chuck", "Charlie"), "Christopher": ("Chris",), "Daniel": ("Dan", "Danny"),
    "Matthew": ("Matt",), "Anthony": ("Tony",), "Steven": ("Steve",), "Andrew": ("Andy", "Drew"),
    "Edward": ("Ed", "Ted"),
    "Jennifer": ("Jen", "Jenny"), "Patricia": ("Pat", "Patty", "Trish"), "Deborah": ("Deb", "Debbie"),
    "Susan": ("Sue", "Suzy"), "Barbara": ("Barb",), "Jessica": ("Jess",), "Rebecca": ("Becky", "Becca"),
    "Christine": ("Chris", "Tina"), "Cynthia": ("Cindy",), "Amanda": ("Mandy",), "Samantha": ("Sam",),
    "Samuel": ("Sam",), "Benjamin": ("Ben",), "Gregory": ("Greg",), "Kenneth": ("Ken", "Kenny"), "Ronald": ("Ron",),
    "Timothy": ("Tim",), "Jeffrey": ("Jeff",), "Lawrence": ("Larry",), "Nicholas": ("Nick",), "Alexander": ("Alex",),
    "Alexandra": ("Alex", "Sandra"), "Victoria": ("Vicky", "Tori"), "Theodore": ("Ted", "Theo"), "Frederick": ("Fred",),
    "Donald": ("Don",), "Raymond": ("Ray",), "Philip": ("Phil",), "Stephanie": ("Steph",), "Kimberly": ("Kim",),
    "Pamela": ("Pam",), "Judith": ("Judy",), "Abigail": ("Abby",), "Nathaniel": ("Nate",), "Zachary": ("Zach",),
    "Gerald": ("Jerry",), "Leonard": ("Len", "Lenny"), "Francisco": ("Paco", "Frank"), "José": ("Pepe",),
    "María": (), "Jesús": (), "Zoë": (), "Renée": (), "André": (), "Chloë": (), "Søren": (), "Jürgen": (), "Łukasz": (),
    "Amy": (), "Mary": (), "Linda": (), "Karen": (), "Nancy": (), "Sandra": ("Sandy",), "Ashley": (), "Emily": ("Em",),
    "Michelle": ("Shelly",), "Carol": (), "Laura": (), "Sharon": (), "Dorothy": ("Dot",), "Helen": (), "Ruth": (),
    "Angela": ("Angie",), "Brenda": (), "Nicole": ("Nikki",), "Rachel": (), "Heather": (), "Diane": (), "Julie": (),
    "Joyce": (), "Kelly": (), "Lauren": (), "Megan": (), "Andrea": (), "Hannah": (), "Gloria": (), "Teresa": (),
    "Brian": (), "Kevin": (), "Mark": (), "Paul": (), "George": (), "Jason": (), "Ryan": (), "Eric": (), "Scott": (),
    "Justin": (), "Brandon": (), "Frank": (), "Tyler": (), "Aaron": (), "Adam": (), "Henry": ("Hank",),
    "Douglas": ("Doug",),
    "Peter": ("Pete",), "Kyle": (), "Walter": ("Walt",), "Harold": ("Hal",), "Carl": (), "Arthur": ("Art",),
    "Roger": (),
    "Keith": (), "Wei": (), "Priya": (), "Fatima": (), "Ahmed": (), "Linh": (), "Yusuf": (), "Amara": (), "Dmitri": (),
    "Hiroshi": (), "Anjali": (), "Mei": (), "Olga": (), "Ravi": (), "Siobhan": (), "Kwame": (), "Lucía": (),
}  # fmt: skip

_FAMILY_NAMES = """
Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson
Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young
Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter
Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers
Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez
Wood Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell
Jenkins Perry Russell Sullivan Bell Coleman Butler Henderson Barnes Fisher Vasquez Simmons Graham Jordan Reynolds
Hamilton Alexander Wallace West Cole Hayes Bryant Herrera Gibson Ellis Tran Medina Freeman Wells Webb Simpson Stevens
Tucker Porter Hunter Hicks Crawford Henry Boyd Mason Kennedy Warren Dixon Burns Gordon Shaw Holmes Rice Robertson Hunt
Black Daniels Palmer Mills Nichols Grant Knight Ferguson Rose Stone Hawkins Dunn Perkins Hudson Spencer Gardner
Stephens Payne Pierce Berry Matthews Arnold Wagner Willis Ray Watkins Olson Carroll Duncan Snyder Hart Cunningham
Bradley Lane Andrews Ruthven Harper Fox Riley Armstrong Carpenter Weaver Greene Lawrence Elliott Chavira Sims Austin
Peters Kelley Franklin Lawson Fields Schmidt Carr Vance Stanton Kowalski Schroeder Yoder Lindqvist Okafor Abernathy
Delacroix Haverford Zielinski Whitlock Núñez Müller Peña Muñoz Bjørnstad Gagné Lefèvre Ibáñez Sørensen Šimek O'Brien
O'Connor O'Neill D'Angelo McAllister McDonald MacLeod VanDyke Hernández-Ruiz Smith-Jones Al-Sayed Papadopoulos
Venkataraman Oyelaran Szymański Kovačić Brandt Vogel Hoffmann Klein Novak Petrov Ivanov Tanaka Yamamoto Chen Wang
Zhang Liu Singh Sharma Gupta Khan Hussain Ali Hassan
"""
FAMILY_NAMES: tuple[str, ...] = tuple(_FAMILY_NAMES.split())

_STREETS = """
Oak Maple Cedar Pine Elm Walnut Locust Hickory Chestnut Sycamore Juniper Willow Birch Main Church Mill Bridge Quarry
Prairie Meadow Ridge Valley Summit Highland Lakeview Riverside Wornall Holmes Troost Gillham Ward Belleview
Pennsylvania Jefferson Madison Monroe Lincoln Grant Washington Franklin Adams Jackson Harrison Campbell Charlotte
Benton Prospect Wabash Olive Park Garfield Euclid Limestone Foundry Orchard Vine Spruce Magnolia Dogwood Redbud
Cottonwood Blue_Jay Meadowlark Cardinal Pheasant Quail Fox_Run Deer_Creek Stonegate Brookside Fairway Country_Club
Old_Mill Mission Nall Roe
"""
STREETS: tuple[str, ...] = tuple(word.replace("_", " ") for word in _STREETS.split())
STREET_KINDS: tuple[tuple[str, str], ...] = (
    ("Street", "St"), ("Avenue", "Ave"), ("Road", "Rd"), ("Drive", "Dr"), ("Lane", "Ln"), ("Court", "Ct"),
    ("Terrace", "Ter"), ("Boulevard", "Blvd"), ("Circle", "Cir"), ("Place", "Pl"),
)  # fmt: skip

# (area code, state, ((town, zip), ...)). The first four are the home market, filled before the firm grows outward.
HOME_AREAS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("816", "MO", (("Kansas City", "64111"), ("Kansas City", "64114"), ("Independence", "64055"),
                   ("Lee's Summit", "64063"),
                   ("Blue Springs", "64014"), ("Liberty", "64068"), ("Gladstone", "64118"), ("Raytown", "64133"))),
    ("913", "KS", (("Overland Park", "66204"), ("Olathe", "66061"), ("Lenexa", "66215"), ("Shawnee", "66203"),
                   ("Leawood", "66206"), ("Prairie Village", "66208"), ("Kansas City", "66102"))),
    ("785", "KS", (("Lawrence", "66044"), ("Topeka", "66604"), ("Ottawa", "66067"), ("Manhattan", "66502"))),
    ("660", "MO", (("Sedalia", "65301"), ("Warrensburg", "64093"), ("Odessa", "64076"))),
)  # fmt: skip
OUTER_AREAS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("314", "MO", (("St. Louis", "63109"), ("University City", "63130"))), ("636", "MO", (("St. Charles", "63301"),)),
    ("417", "MO", (("Springfield", "65804"), ("Joplin", "64801"))), ("573", "MO", (("Columbia", "65201"),)),
    ("316", "KS", (("Wichita", "67203"),)), ("620", "KS", (("Dodge City", "67801"), ("Emporia", "66801"))),
    ("402", "NE", (("Omaha", "68104"), ("Lincoln", "68502"))), ("308", "NE", (("Grand Island", "68801"),)),
    ("515", "IA", (("Des Moines", "50310"), ("Ames", "50010"))), ("319", "IA", (("Cedar Rapids", "52402"),)),
    ("563", "IA", (("Davenport", "52803"),)), ("712", "IA", (("Council Bluffs", "51501"),)),
    ("405", "OK", (("Oklahoma City", "73107"), ("Norman", "73069"))), ("918", "OK", (("Tulsa", "74105"),)),
    ("580", "OK", (("Lawton", "73501"),)), ("479", "AR", (("Fayetteville", "72701"), ("Fort Smith", "72901"))),
    ("501", "AR", (("Little Rock", "72205"),)), ("870", "AR", (("Jonesboro", "72401"),)),
    ("217", "IL", (("Springfield", "62704"), ("Champaign", "61820"))), ("309", "IL", (("Peoria", "61604"),)),
    ("618", "IL", (("Belleville", "62220"),)), ("815", "IL", (("Rockford", "61107"),)),
    ("317", "IN", (("Indianapolis", "46220"),)), ("812", "IN", (("Evansville", "47714"),)),
    ("260", "IN", (("Fort Wayne", "46805"),)), ("574", "IN", (("South Bend", "46615"),)),
    ("615", "TN", (("Nashville", "37209"), ("Franklin", "37064"))), ("901", "TN", (("Memphis", "38111"),)),
    ("865", "TN", (("Knoxville", "37917"),)), ("423", "TN", (("Chattanooga", "37405"),)),
    ("502", "KY", (("Louisville", "40205"),)), ("859", "KY", (("Lexington", "40502"),)),
    ("270", "KY", (("Bowling Green", "42101"),)), ("303", "CO", (("Denver", "80210"), ("Lakewood", "80226"))),
    ("719", "CO", (("Colorado Springs", "80907"),)), ("970", "CO", (("Fort Collins", "80521"),)),
)  # fmt: skip

MAIL_HOSTS: tuple[str, ...] = ("gmail.example", "yahoo.example", "outlook.example", "aol.example", "hotmail.example",
                               "icloud.example", "comcast.example", "kc.example", "sbcglobal.example")  # fmt: skip

_COMPANY_STEMS = """
Oakwood Riverbend Heartland Prairie Summit Keystone Cornerstone Bluestem Sunflower Brookside Westport Crossroads
Gateway Harvest Ironwood Stonebridge Lakeshore Northgate Southfield Evergreen Pinnacle Meridian Liberty Patriot
Frontier Pioneer Heritage Landmark Plaza Union Mission Fairview Glenwood Hillcrest Kingswood Lexington Madison Newport
Parkway Ridgeview Sterling Timber Trinity Valley Waterford Windsor Woodland Crown Eagle Falcon Cardinal Redbird Silver
Golden Copper
"""
COMPANY_STEMS: tuple[str, ...] = tuple(_COMPANY_STEMS.split())
COMPANY_KINDS: tuple[str, ...] = (
    "Builders", "Construction", "Homes", "Dental Group", "Veterinary Clinic", "Auto Body", "Brewing Co.", "Bakery",
    "Elementary School PTA", "Storage", "Logistics", "Landscaping", "Plumbing & Heating", "Insurance Agency",
    "Law Office", "Lutheran Church", "Baptist Church", "Fitness", "Hardware", "Diner", "Day Care", "Engineering",
    "Roofing", "Flooring",
)  # fmt: skip
MANAGER_KINDS: tuple[str, ...] = (
    "Property Management",
    "Properties LLC",
    "Apartments",
    "Realty Group",
    "Rentals",
    "Residential",
    "Housing Partners",
    "Homeowners Association",
)
COMPANY_ENDINGS: tuple[str, ...] = ("", "", "", " LLC", ", Inc.", " Inc", " Co.", ", L.L.C.", " & Sons")
ROLE_BOXES: tuple[str, ...] = ("info", "office", "accounting", "ap", "billing", "service", "maintenance")
