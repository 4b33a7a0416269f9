"""Word lists used to read names: titles, generations, legal forms, trade words, nicknames and common given names.

Data only, read by `names`. Every word is in the folded form `folding.fold` gives it (lower case, no accents, no
apostrophes). The nickname table answers "may these two be one given name"; the list of given names serves as a brake:
two names that are both well known, such as Joan and John, are never taken for a typing error of each other.
"""


def words(text: str) -> frozenset[str]:
    """The words of a text as a set, so that long lists stay readable."""
    return frozenset(text.split())


TITLES = words("mr mrs ms miss mx dr prof rev hon sir madam mister fr pastor capt sgt herr frau mme sra srta mssrs")
CREDENTIALS = words("md phd esq dds dmd cpa rn pe ra aia pa cfa do dvm jd mba ret usmc usn")
GENERATIONS = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "2", "2nd": "2", "iii": "3", "3rd": "3",
               "iv": "4", "4th": "4"}
PARTICLES = words("van von der den de del della di da dos du la le las los el al bin ibn ten ter st san santa mac mc")
HOUSEHOLD = words("residence family household home house estate trust fam resid res familie famille")

LEGAL_FORMS = words("""
inc incorporated llc lc ltd limited corp corporation co company lp llp lllp pllc pc plc gmbh mbh ag kg ohg ug ev se
sa sas sarl srl spa bv nv ab as oy aps pty pte sl cv dba fka aka na psc nfp lda ltda kft doo sro
""")
FILLERS = words("the a an and of for at y und et e n")

# A word that makes a text a company even without a legal form.
TRADE_WORDS = words("""
service plumbing heating cooling hvac electric electrical roofing construction contractor contracting builder
building remodeling landscaping landscape lawn tree garden nursery painting flooring carpet tile glass window door
garage fence paving concrete masonry excavating drywall insulation restoration cleaning janitorial pest pool septic
solar mechanical property realty estate apartment condominium condo hoa homeowner association tower plaza village
club church temple school academy college university hospital clinic dental dentistry medical care health pharmacy
veterinary animal pet salon spa barber restaurant cafe coffee pizza grill diner bakery deli brewery bar kitchen
catering market grocery food store shop boutique mart supply hardware equipment rental tool machine manufacturing
industry industrial enterprise group partner associate brother son holding venture capital investment fund insurance
agency financial bank credit union mortgage title law legal attorney office consulting consultant solution system
technology tech software computer design studio media marketing advertising print printing photography travel
transport trucking logistics freight auto automotive car motor tire collision bodyshop towing gym fitness yoga hotel
motel inn lodge resort theater theatre museum library city county town state department district authority
management development international national global american north south east west foundation society council
center centre institute ministry fire police farm ranch dairy vineyard winery lumber material steel metal iron
welding oil gas energy power water telephone wireless communication security alarm lock gallery music toy book gift
flower florist jewelry jewelers furniture appliance sporting good daycare preschool
""")

ABBREVIATIONS = {
    "svc": "service", "svcs": "service", "serv": "service", "srvc": "service", "mfg": "manufacturing",
    "bros": "brother", "assoc": "associate", "assocs": "associate", "assn": "association", "intl": "international",
    "constr": "construction", "const": "construction", "mgmt": "management", "mgt": "management", "htg": "heating",
    "elec": "electric", "electrical": "electric", "plbg": "plumbing", "plmbg": "plumbing", "props": "property",
    "properties": "property", "apt": "apartment", "apts": "apartment", "dept": "department", "ctr": "center",
    "centre": "center", "natl": "national", "univ": "university", "tech": "technology", "technologies": "technology",
    "industries": "industry", "agencies": "agency", "companies": "company", "bldg": "building", "bldrs": "builder",
    "contr": "contractor", "equip": "equipment", "ent": "enterprise", "grp": "group", "hosp": "hospital",
    "ins": "insurance", "inv": "investment", "dev": "development", "dist": "district", "comm": "communication",
    "rest": "restaurant", "sys": "system", "mkt": "market", "mtn": "mountain", "mt": "mount",
    "ft": "fort", "saint": "st",
}

# One line per given name: the full form, then its short and familiar forms. A short form may stand in several lines.
_NICKNAMES = """
aaron ron
abigail abby abbie gail
abraham abe bram
adelaide addie ada
agnes aggie nessie
albert al bert bertie
alexander alex al sandy xander alec sasha alejandro
alexandra alex sandra sandy lexi lexie sasha alexa
alfred al fred alf freddie
alice ali allie
alison ali allie allison
amanda mandy manda
andrew andy drew andre andres
angela angie
ann anne annie anna nan nancy
anthony tony antonio toni anton
antoinette toni nettie
arthur art artie
barbara barb babs bobbie
bartholomew bart
benjamin ben benny benji
bernard bernie barney
beatrice bea trixie
bradley brad
brandon bran
bridget biddy bridie
calvin cal
cameron cam
carolyn carol carrie lynn caroline
catherine cathy cate kate katie kathy cat kitty katherine kathryn cathryn catharine kay
cecilia ceci celia cissy
charles charlie chuck chas chaz carlos
charlotte charlie lottie char
chester chet
christian chris
christina chris tina christie chrissy christine kristina kristine kris
christopher chris topher kit kris cris
clarence clare
clifford cliff
clinton clint
cornelius neil connie
curtis curt
cynthia cindy cyndi
daniel dan danny
danielle dani
david dave davey davy
deborah deb debbie debra debby
dennis denny den
dolores lola dee
donald don donny donnie
dorothy dot dottie dory
douglas doug
edgar ed eddie
edmund ed eddie ned ted
edward ed eddie ned ted teddy eduardo
edwin ed eddie ned
eleanor ellie nell nellie nora ella
elizabeth liz beth betty lizzie eliza betsy bess bessie libby lisa elisabeth liza
emily em emmy
emma em
enrique rick quique
ernest ernie
esther essie hester
eugene gene
evelyn eve evie
florence flo flossie
frances fran frannie francie
francis frank fran
francisco paco pancho cisco frank
franklin frank
frederick fred freddie rick fritz fredrick frederic
gabriel gabe
gabrielle gabby gabi
geoffrey geoff jeff
george georgie jorge
gerald gerry jerry
gerard gerry jerry
gilbert gil bert
gloria glo
gregory greg gregg
guillermo memo william
gwendolyn gwen wendy
harold hal harry
harriet hattie
harrison harry
heather heath
helen nell nellie
henry hank harry hal
herbert herb bert
howard howie
hubert hugh bert
ignacio nacho
irene rene
isaac ike
isabel bell belle izzy isabella isabelle
jacob jake jakob
jacqueline jackie jacki
james jim jimmy jamie jaime jas
jane janie jan
janet jan
janice jan
jason jay jase
jeffrey jeff jeffery
jennifer jen jenny jenn jenni
jeremy jerry jem
jerome jerry
jessica jess jessie
jesus chuy
joan joanie
joanna jo joanne
john johnny jack jon juan johnnie
jonathan jon jonny nathan johnathan
jose pepe joe
joseph joe joey jos josef
josephine jo josie
joshua josh
joyce joy
judith judy judi
julia julie jules
kenneth ken kenny
kevin kev
kimberly kim kimmy
kristen kris kristin
laura laurie lori
lauren laurie ren
lawrence larry lars laurie laurence
leonard leo len lenny
leroy roy lee
leslie les
lillian lil lily lilly
louis lou louie luis lewis
louise lou
lucille lucy lucille
lucas luke
manuel manny manolo
marcus marc mark
margaret maggie meg peggy marge margie greta peg rita margo
maria mary marie mia
marilyn mary lynn
martha marty mattie patty
martin marty mart
marvin marv
mary molly polly mamie
matthew matt matty mathew mateo
maureen mo
maurice maury mo
maximilian max
maxwell max
melanie mel
melissa mel missy lissa
melvin mel
mercedes mercy
michael mike mick mickey mikey micheal miguel
michelle shelly michele shell
mildred millie
miriam mimi
mitchell mitch
mohammed mo mohammad muhammad mohamed
nancy nan
natalie nat
nathan nate nat
nathaniel nate nat nathan
nicholas nick nicky nico nicolas
nicole nikki nicky
norman norm
oliver ollie
oscar ozzie
pamela pam
patricia pat patty patti tricia trish
patrick pat paddy rick
peter pete pedro
philip phil pip phillip
rachel rae rachael
ralph ralphie
randolph randy
randall randy
raymond ray ramon
rebecca becky becca reba
regina gina reggie
reginald reg reggie
richard rick dick rich ricky richie rico ricardo
robert bob rob bobby robbie bert bobbie roberto
roberta bobbie robbie
roderick rod
rodney rod
roger rodge
roland rollie
ronald ron ronnie ronny
rosemary rose rosie
roxanne roxie
russell russ rusty
ruth ruthie
samantha sam sammy
samuel sam sammy
sandra sandy
sarah sara sally sadie
scott scotty
sebastian seb
sharon shari
shirley shirl
solomon sol
sophia sophie sofia
stanley stan
stephanie steph steffi
stephen steve steven stevie stefan esteban
stuart stu stewart
susan sue susie suzy suzanne susanna susannah
sylvester sly
tamara tammy tami
terence terry terrance
teresa terry tess tessa theresa terri
theodore ted teddy theo
thomas tom tommy tomas
timothy tim timmy
tobias toby
tracy trace
tyler ty
valerie val
veronica ronnie roni
victor vic
victoria vicky vicki tori vickie
vincent vince vinny vin
virginia ginny ginger
vivian viv
walter walt wally
wayne way
wendell wen
wesley wes
wilfred will fred
william bill will billy willie liam wm willy
winifred winnie
winston win
yolanda yoli
yvonne vonnie
zachary zach zack zac
"""

_OTHER_GIVEN_NAMES = """
adam adrian aisha alan alberto alejandra alma amber amelia amir amy ana andrea angel anita april ashley audrey
austin ava beverly blake bonnie brenda brian bruce bryan caleb carl carla carmen casey charlene cheryl chloe claire
clara claudia cody colin connor corey courtney craig crystal dale dana darlene darrell dawn dean denise derek diana
diane diego dominic donna doris duane dustin dylan earl eduardo elaine elena eli elijah ellen elsie eric erica erik
erika erin ethan eva evan felicia felipe fernando gail garrett gary gavin gina glen glenn grace grant guadalupe
hannah harvey hazel hector heidi herman holly hugo ian ida irma ivan jack jackson jacob jamal jared jasmine javier
jay jean jeanne jerry jesse jill jo joann joaquin jodi jordan josiah joyce juanita judy julian julio june justin
karen karl katrina kayla keith kelly kendra kent kirk kristy kurt kyle lance larry latoya leah lee leo leon linda
logan lois lorenzo lori lorraine lucia lucy luke luz lydia lynn mandy marc marco margarita maria marie mario marion
marisol marjorie mark marlene marsha mason megan meghan mei melinda melody meredith mia mindy misty mona monica
morgan nadia naomi natasha neil nina noah noel nora norma olga olivia omar owen pablo paige paul paula pauline pearl
penny perry phyllis priya rafael ramona raul rene rhonda ricardo rita roberto robin rocky rodrigo rosa ross roy
ruben ruby ryan sabrina salvador sean sergio seth shane shannon shawn sheila shelby sherry sierra simon sonia stacy
stella summer taylor ted tiffany tina todd toni tonya travis trevor troy tyrone vanessa vera vernon vicki wanda
warren wendy willow xavier yvette zoe
"""


def _roots() -> dict[str, frozenset[str]]:
    roots: dict[str, set[str]] = {}
    for line in _NICKNAMES.strip().splitlines():
        full, *short = line.split()
        for form in (full, *short):
            roots.setdefault(form, set()).add(full)
    return {form: frozenset(names) for form, names in roots.items()}


GIVEN_ROOTS = _roots()
GIVEN_NAMES = frozenset(GIVEN_ROOTS) | words(_OTHER_GIVEN_NAMES)
