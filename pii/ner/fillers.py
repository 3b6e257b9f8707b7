"""What fills the slots of the templates: values that are labelled, and the many things that only look like them."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from pii.ner.names import Names, Person, Split, handle, written

_HEX = "0123456789abcdef"
_LETTERS = string.ascii_lowercase
_ALPHANUMERIC = string.ascii_letters + string.digits


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


_MONTHS = _words("January February March April May June July August September October November December")
_DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_COMPANIES = _words(
    "Google Microsoft Apple Intel IBM Oracle Facebook Meta_Platforms Amazon NVIDIA AMD ARM Red_Hat SUSE Canonical Mozilla"
    " Netflix Twitter Samsung Huawei Alibaba Tencent Baidu Yahoo Adobe Cisco Siemens Bosch Ericsson Nokia Sony Fujitsu"
    " Hewlett_Packard Hewlett-Packard Dell VMware Digital_Ocean Cloudflare Elastic MongoDB Docker HashiCorp JetBrains"
    " GitHub GitLab Atlassian Salesforce SAP Spotify Uber Airbnb Dropbox Stripe Square PayPal eBay Yandex Mail.Ru Rapid7"
    " Sun_Microsystems Silicon_Graphics Texas_Instruments Broadcom Qualcomm Freescale Atmel Microchip Realtek Marvell"
    " STMicroelectronics NXP Xilinx Analog_Devices Enthought Anaconda Continuum_Analytics Hugging_Face OpenAI Typesafe"
    " Lightbend Pivotal Cloudera Hortonworks Confluent Databricks Zalando Rakuten LINE Nintendo Epic_Games Unity Valve"
)
_COMPANY_TAILS = _words(
    "Inc. Inc Corporation Corp. Ltd. Ltd Limited LLC GmbH AG S.A. S.r.l. B.V. AB Oy Pty_Ltd Co.,_Ltd. Group"
)
_COMPANY_HEADS = _words(
    "Acme Blue Bright North Star Open Data Cloud Net Soft Quantum Delta Silver Green Rapid Next Hyper Logic Pixel Nova"
    " Atlas Vertex Zenith Iron Stone River Summit Orbit Fusion Pulse Signal Vector Apex Prime Global United Digital"
)
_COMPANY_MIDDLES = _words(
    "Software Systems Technologies Labs Networks Solutions Works Media Interactive Consulting Computing Studios Robotics"
    " Semiconductor Dynamics Research Analytics Games Semiconductors Instruments Electronics Communications Security"
)
_INSTITUTES = _words(
    "Massachusetts_Institute_of_Technology Stanford_University University_of_Cambridge ETH_Zurich Carnegie_Mellon_University"
    " Free_Software_Foundation,_Inc. Apache_Software_Foundation Linux_Foundation Python_Software_Foundation Eclipse_Foundation"
    " Regents_of_the_University_of_California Max_Planck_Institute Lawrence_Livermore_National_Laboratory CERN INRIA NASA"
    " Los_Alamos_National_Laboratory Internet_Systems_Consortium OpenJS_Foundation Mozilla_Foundation Internet_Society"
    " University_of_Illinois Technische_Universität_München Johns_Hopkins_University Duke_University Rice_University"
    " The_Trustees_of_Columbia_University Harvard_College Allen_Institute_for_AI Santa_Cruz_Operation Bell_Labs W3C IETF"
    " The_Open_Group Khronos_Group X_Consortium Fraunhofer_Institute Free_Standards_Group Software_in_the_Public_Interest"
)
_PRODUCTS = _words(
    "Visual_Studio Visual_Basic Internet_Explorer Google_Chrome Red_Hat Mac_OS Windows_Server SQL_Server Open_Source"
    " Stack_Overflow Travis_CI Circle_CI GitHub_Actions Jenkins_Pipeline Maven_Central Apache_Maven Spring_Boot Ruby_on_Rails"
    " Django_Rest Flask_Login Node_Package Android_Studio Google_Cloud Azure_DevOps Amazon_Web_Services Hugging_Face"
    " Sublime_Text Emacs_Lisp Common_Lisp Perl_Best_Practices Julia_Language Ada_Core Pascal_Case Haskell_Platform"
    " Eclipse_Foundation Mozilla_Firefox Adobe_Flash Java_Runtime Unix_System Raspberry_Pi Jordan_Curve Markov_Chain"
    " Monte_Carlo Las_Vegas Ubuntu_Server Debian_Stable Fedora_Core Docker_Compose Kubernetes_Engine Elastic_Search"
    " Material_Design Bootstrap_Grid Font_Awesome Google_Fonts Open_Sans Times_New_Roman Comic_Sans Helvetica_Neue Roboto_Mono"
    " Creative_Commons Apache_License MIT_License Mozilla_Public_License Lesser_General_Public Boost_Software Max_Pooling"
    " Jenkins Hudson Maven Travis Django Jasmine Mercurial Ada Julia Ruby Perl Pascal Haskell Elixir Crystal Dart Kotlin Swift"
    " Pandora Alexa Siri Cassandra Kafka Apollo Athena Hermes Zeus Thor Odin Titan Phoenix Aurora Luna Selenium Cypress Jest"
    " Mocha Chai Sinon Karma Ember Lodash Gatsby Hugo Jekyll Sphinx Celery Gunicorn Pandas Casper Gauss Newton Kepler Fermi Pascal"
    " Volta Turing Ampere Hopper Tesla Haswell Skylake Ivy_Bridge Ryzen Morpheus Delphi Lazarus Sherlock Watson Clippy Cortana"
)
_CITIES = _words(
    "New_York San_Francisco Los_Angeles London Paris Berlin Munich Cambridge Oxford Boston Chicago Austin Dallas Houston Denver"
    " Seattle Portland Santa_Clara Palo_Alto Mountain_View Menlo_Park Redwood_City San_Jose San_Diego Victoria Sydney Melbourne"
    " Adelaide Georgia Virginia Carolina Florence Sofia Milan Madrid Lisbon Vienna Prague Warsaw Budapest Kiev Kyiv Moscow"
    " Saint_Petersburg Helsinki Stockholm Oslo Copenhagen Amsterdam Rotterdam Brussels Zurich Geneva Tokyo Osaka Kyoto Beijing"
    " Shanghai Shenzhen Hong_Kong Taipei Seoul Busan Singapore Kuala_Lumpur Bangkok Jakarta Mumbai New_Delhi Bangalore Chennai"
    " Tel_Aviv Haifa Cairo Lagos Nairobi Cape_Town Johannesburg São_Paulo Rio_de_Janeiro Buenos_Aires Santiago Bogotá Lima"
    " Mexico_City Toronto Montreal Vancouver Ottawa Fort_Worth Salt_Lake_City Santa_Monica Santa_Cruz St._Louis Kansas_City"
    " America/New_York Europe/Berlin Asia/Tokyo Australia/Sydney Washington Lincoln Madison Jackson Charlotte Phoenix Jordan"
    " Chad Israel Ireland North_Carolina South_Korea United_States New_Zealand Costa_Rica Czech_Republic Great_Britain"
)
_EPONYMS = _words(
    "Dijkstra Bloom Levenshtein Euler Gauss Bayes Fourier Laplace Markov Newton Euclid Fibonacci Huffman Hamming Turing Cauchy"
    " Bernoulli Poisson Gaussian Bessel Hermite Legendre Chebyshev Lagrange Jacobi Cholesky Householder Krylov Lanczos Arnoldi"
    " Hessian Hilbert Banach Riemann Lebesgue Kolmogorov Smirnov Mann Whitney Pearson Spearman Kendall Student Fisher Wald Welch"
    " Kruskal Prim Bellman Ford Floyd Warshall Knuth Morris Pratt Boyer Moore Rabin Karp Aho Corasick Voronoi Delaunay Bresenham"
    " Bezier Catmull Perlin Sobel Canny Hough Kalman Viterbi Baum Shannon Nyquist Butterworth Hanning Hann Blackman Mersenne"
    " Fermat Galois Boole Venn Carmichael Schnorr Diffie Merkle Shamir Feistel Kerberos Murmur Zobrist Pareto Weibull Gumbel"
    " Rayleigh Maxwell Planck Kelvin Celsius Fahrenheit Pascal Volt Joule Watt Hertz Tesla Weber Henry Mercator Lambert Haversine"
    " Liskov Demeter Hoare Backus Naur Church Curry Kleene Zipf Jaccard Cantor Peano Wilson Otsu Adam Nesterov Glorot Xavier"
)
_EPONYM_THINGS = _words(
    "algorithm filter distance transform tree sort equation method theorem distribution matrix number sequence test coefficient"
    " kernel code coding series decomposition rule law principle constant curve process chain inequality lemma function polynomial"
    " sampling noise operator norm space graph diagram heap hash problem conjecture approximation model optimizer iteration"
)
_NOUNS = _words(
    "file value node item list map user index buffer event config table row cell text page image key token name path block query"
    " field record stream socket thread task queue cache layer model view handler parser writer reader state action option"
    " result error message header body request response session client server frame pixel color vector matrix graph edge tree"
    " array string number object class module package version build test case suite plugin theme widget button form input"
    " output device driver kernel memory register signal clock timer counter flag mask bit byte word line column chunk segment"
)
_VERBS = _words(
    "add remove fix update check return set get load save parse write read create delete open close start stop run build handle"
    " find sort filter map merge split convert render draw send receive validate compute count skip allow avoid support use make"
    " move rename copy clean reset init register enable disable wrap encode decode flush log print show hide call test"
)
_ADJECTIVES = _words(
    "new old first last next empty null valid invalid default custom local global static dynamic internal external public private"
    " simple complex missing current previous optional required unknown raw full partial remote temporary single multiple"
)
_TOPICS = _words(
    "memory_leak race_condition typo_in_docs build_on_Windows unicode_handling crash_on_exit off-by-one_error IPv6_support"
    " Python_3_compatibility date_parsing error_message performance_regression broken_link test_suite null_pointer_dereference"
    " compiler_warnings timezone_bug dark_mode keyboard_shortcuts German_translation CI_pipeline Makefile packaging documentation"
    " segfault_in_parser dependency_update cache_invalidation TLS_handshake Dockerfile column_order CSV_export initial_port"
)
_TITLES = _words(
    "Getting_Started Table_of_Contents Release_Notes Known_Issues User_Guide Quick_Start Change_Log Frequently_Asked_Questions"
    " Code_of_Conduct Contributing_Guidelines Open_Issues Bug_Fixes New_Features Breaking_Changes API_Reference Design_Patterns"
    " Data_Structures Unit_Tests Basic_Usage Advanced_Topics Error_Handling License_Agreement Terms_and_Conditions Best_Practices"
    " Sign_In Log_Out Save_As Open_File Select_All Find_Next Edit_Mode Add_User Forgot_Password Read_More Learn_More Contact_Us"
    " About_Us Privacy_Policy Search_Results Next_Page Submit_Form Delete_Account My_Profile Full_Name First_Name Last_Name"
    " Street_Address Post_Code Phone_Number Credit_Card Order_Date Customer_Name Product_Name Unit_Price Will_Call Mark_All"
)
_BOOKS = _words(
    "The_Art_of_Computer_Programming Introduction_to_Algorithms Clean_Code Design_Patterns Numerical_Recipes Hacker's_Delight"
    " The_C_Programming_Language Structure_and_Interpretation_of_Computer_Programs Refactoring Computer_Networks"
    " Modern_Operating_Systems Pattern_Recognition_and_Machine_Learning Handbook_of_Mathematical_Functions Compilers"
)
_WORD_NAMES = _words(
    "Will Mark Grace Rose Max April June May Hunter Paris Jordan Chase Summer Dean Ruby Julia Perl Pascal Ada Haskell Django"
    " Jasmine Jenkins Maven Travis Bill Frank Rich Pat Art Rob Drew Dale Grant Miles Chip Cliff Dawn Faith Hope Joy Ivy Iris"
    " Lily Daisy Violet Amber Crystal Pearl Jade Olive Holly Autumn Page Skip Guy Jack Ray Rusty Sandy Sunny Carol Eve Penny"
    " Victor Christian Dick Gene Earnest Major Norm Bob Sue Nick Trace Case Van Lane Clay Glen Heath Reed Wade Ward Wells Bond"
    " Stone Brook Young Long Short Small Little Black White Green Brown Gray Silver Gold Best Close Banks Field Ford Cook Baker"
    " Carpenter Mason Page Potter Smith Taylor Turner Walker Weaver Wright Bishop King Knight Pope Prince Price Love Day Weeks"
    " Sheets Tables Keys Locks Boxes Rows Marks Banks Rivers Waters Woods Fields Hall House Church Temple Kitchen Stack Query"
)
_MADE_UP = _words(
    "John_Doe Jane_Doe John_Smith Jane_Smith Alice Bob Carol Eve Mallory Foo_Bar Joe_Bloggs Max_Mustermann Alice_and_Bob Erika_Mustermann"
    " John Jane Joe Your_Name Your_Name_Here Author_Name First_Last Homer_Simpson Mickey_Mouse Harry_Potter Luke_Skywalker"
    " Fred_Flintstone Sherlock_Holmes Frodo_Baggins Test_User Some_Body Acme_User Firstname_Lastname Name_Surname Ivan_Ivanov"
)
_PROVIDERS = _words("gmail.com gmail.com gmail.com yahoo.com hotmail.com outlook.com gmx.de gmx.net web.de mail.ru yandex.ru qq.com 163.com 126.com users.noreply.github.com users.sourceforge.net protonmail.com icloud.com fastmail.com debian.org gnu.org apache.org redhat.com kernel.org freebsd.org")  # fmt: skip
_TLDS = _words(
    "com com com org org net io de fr co.uk nl ru se cz jp cn edu ac.uk dev me eu it pl com.br at ch info us in"
)
_SERVICES = _words(
    "admin root postgres nginx www-data git ubuntu deploy jenkins app service worker system nobody mysql redis guest"
)
_EXTENSIONS = _words("py js c h cpp go rs rb php java ts sh pl lua hs ml f90 sql xml html css yml json md txt cfg")


class Fillers:
    """Fills slots of one document at a time. An upper-case slot is labelled, a lower-case one is not.

    NAME, GIVEN and FAMILY begin a person; EMAIL and USERNAME belong to that person where there is one already.
    """

    def __init__(self, split: Split) -> None:
        self.names = Names(split)
        self.current: Person | None = None
        self.slots: dict[str, Callable[[random.Random], str]] = {
            "NAME": self.name, "GIVEN": self.given, "FAMILY": self.family, "EMAIL": self.email, "USERNAME": self.username,
            "IP_ADDRESS": ip_address, "PASSWORD": password, "KEY": key,
            "company": self.company, "project": project, "product": lambda rng: rng.choice(_PRODUCTS),
            "city": lambda rng: rng.choice(_CITIES), "eponym": self.eponym, "class": class_name, "ident": identifier,
            "const": lambda rng: "_".join(rng.choices(_NOUNS, k=rng.randint(1, 3))).upper(), "sentence": sentence,
            "topic": lambda rng: rng.choice(_TOPICS), "title": title, "book": lambda rng: rng.choice(_BOOKS),
            "wordname": lambda rng: rng.choice(_WORD_NAMES), "madeup": lambda rng: rng.choice(_MADE_UP),
            "year": year, "years": years, "date": date, "time": time, "month": lambda rng: rng.choice(_MONTHS),
            "mon": lambda rng: rng.choice(_MONTHS)[:3], "day": lambda rng: rng.choice(_DAYS)[:3],
            "weekday": lambda rng: rng.choice(_DAYS),
            "version": version, "n": lambda rng: str(int(10 ** rng.uniform(0, 4.5))),
            "d": lambda rng: str(rng.randint(1, 28)), "hash": digest, "hash7": lambda rng: _take(rng, _HEX, 7),
            "uuid": uuid, "file": file_name, "host": host, "repo": repository, "word": lambda rng: rng.choice(_NOUNS),
            "verb": lambda rng: rng.choice(_VERBS), "adj": lambda rng: rng.choice(_ADJECTIVES),
            "service": lambda rng: rng.choice(_SERVICES), "ext": lambda rng: rng.choice(_EXTENSIONS),
            "Word": lambda rng: rng.choice(_NOUNS).capitalize(), "Verb": lambda rng: rng.choice(_VERBS).capitalize(),
            "Adj": lambda rng: rng.choice(_ADJECTIVES).capitalize(), "phone": phone,
        }  # fmt: skip

    def name(self, rng: random.Random) -> str:
        self.current = self.names.person(rng)
        return written(rng, self.current)

    def given(self, rng: random.Random) -> str:
        self.current = self.names.person(rng)
        return self.current.given

    def family(self, rng: random.Random) -> str:
        self.current = self.names.person(rng)
        return self.current.family

    def username(self, rng: random.Random) -> str:
        return handle(rng, self.current or self.names.person(rng)).strip(".")

    def email(self, rng: random.Random) -> str:
        local = self.username(rng)
        return f"{local.strip('-_').lower() or 'jd'}@{rng.choice(_PROVIDERS) if rng.random() < 0.4 else host(rng)}"

    def company(self, rng: random.Random) -> str:
        kind = rng.random()
        if kind < 0.35:
            name = rng.choice(_COMPANIES)
        elif kind < 0.5:
            return rng.choice(_INSTITUTES)
        elif kind < 0.6:
            return f"University of {rng.choice(_CITIES).split('/')[-1]}"
        elif kind < 0.75:
            name = self.names.person(rng).family + rng.choice(
                ("", " & Co", " & Partners", " Brothers", f" {rng.choice(_COMPANY_MIDDLES)}")
            )
        else:
            name = rng.choice(_COMPANY_HEADS) + rng.choice(("", " ")) + rng.choice(_COMPANY_MIDDLES)
        return f"{name}{rng.choice(('', ',', ''))} {rng.choice(_COMPANY_TAILS)}" if rng.random() < 0.6 else name

    def eponym(self, rng: random.Random) -> str:
        name = rng.choice(_EPONYMS) if rng.random() < 0.6 else self.names.person(rng).family
        if rng.random() < 0.2:
            name += "-" + rng.choice(_EPONYMS)
        return f"{name}{rng.choice(('', '', chr(39) + 's'))} {rng.choice(_EPONYM_THINGS)}"


def _take(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))


def project(rng: random.Random) -> str:
    head = rng.choice(_PRODUCTS) if rng.random() < 0.5 else class_name(rng)
    tail = rng.choice(("Authors", "Project", "Team", "Developers", "contributors", "Project Authors", "authors", "team", "Foundation", "Contributors", "Community", "Developers Team", "Working Group", "project contributors", "Maintainers"))  # fmt: skip
    return f"{rng.choice(('The ', 'the ', '', ''))}{head} {tail}"


def class_name(rng: random.Random) -> str:
    words = [rng.choice(_NOUNS).capitalize() for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.2:
        words[0] = rng.choice(_WORD_NAMES)
    return "".join(words)


def identifier(rng: random.Random) -> str:
    words = rng.choices((*_NOUNS, *_ADJECTIVES, *_VERBS), k=rng.randint(1, 3))
    if rng.random() < 0.5:
        return "_".join(words)
    return words[0] + "".join(word.capitalize() for word in words[1:])


def sentence(rng: random.Random) -> str:
    text = f"{rng.choice(_VERBS)} the {rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}"
    if rng.random() < 0.5:
        text += (
            rng.choice((" of ", " for ", " in ", " before ", " when ", " and "))
            + f"the {rng.choice(_NOUNS)} {rng.choice(_NOUNS)}"
        )
    return text.capitalize() if rng.random() < 0.6 else text


def title(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_TITLES)
    return " ".join(word.capitalize() for word in rng.choices((*_NOUNS, *_VERBS, *_ADJECTIVES), k=rng.randint(2, 3)))


def year(rng: random.Random) -> str:
    return str(rng.randint(1985, 2026))


def years(rng: random.Random) -> str:
    first = rng.randint(1985, 2024)
    return rng.choice(
        (
            str(first),
            str(first),
            f"{first}-{first + 3}",
            f"{first}, {first + 1}",
            f"{first}-present",
            f"{first}–{first + 2}",
        )
    )


def date(rng: random.Random) -> str:
    y, m, d = rng.randint(1992, 2026), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice((f"{y}-{m:02}-{d:02}", f"{y}-{m:02}-{d:02}", f"{d} {_MONTHS[m - 1]} {y}", f"{_MONTHS[m - 1]} {d}, {y}", f"{m:02}/{d:02}/{y}", f"{d}.{m}.{y}", f"{d}-{_MONTHS[m - 1][:3]}-{y}"))  # fmt: skip


def time(rng: random.Random) -> str:
    return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"


def version(rng: random.Random) -> str:
    return ".".join(str(rng.randint(0, 20)) for _ in range(rng.randint(2, 3))) + rng.choice(
        ("", "", "", "-rc1", "b2", "-SNAPSHOT")
    )


def digest(rng: random.Random) -> str:
    return _take(rng, _HEX, rng.choice((32, 40, 40, 64)))


def uuid(rng: random.Random) -> str:
    return "-".join(_take(rng, _HEX, count) for count in (8, 4, 4, 4, 12))


def file_name(rng: random.Random) -> str:
    return "_".join(rng.choices(_NOUNS, k=rng.randint(1, 2))) + "." + rng.choice(_EXTENSIONS)


def host(rng: random.Random) -> str:
    name = rng.choice(_COMPANY_HEADS).lower() + rng.choice(("", "-", "")) + rng.choice(_NOUNS)
    return f"{rng.choice(('', '', '', 'mail.', 'cs.', 'lists.'))}{name}.{rng.choice(_TLDS)}"


def repository(rng: random.Random) -> str:
    return rng.choice(_NOUNS) + rng.choice(("-", "_", "")) + rng.choice((*_NOUNS, "js", "py", "rs", "kit", "ng"))


def phone(rng: random.Random) -> str:
    return f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}"


def ip_address(rng: random.Random) -> str:
    if rng.random() < 0.12:
        return (
            ":".join(f"{rng.randrange(65536):x}" for _ in range(8))
            if rng.random() < 0.5
            else f"2a01:{rng.randrange(65536):x}:{rng.randrange(65536):x}::{rng.randrange(65536):x}"
        )
    first = rng.choice((10, 172, 192)) if rng.random() < 0.3 else rng.randint(2, 223)
    second = {10: rng.randint(0, 255), 172: rng.randint(16, 31), 192: 168}.get(first, rng.randint(0, 255))
    return f"{first}.{second}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def password(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return _take(rng, _ALPHANUMERIC, rng.randint(8, 16))
    if kind == 1:
        return _take(rng, _ALPHANUMERIC + "!#%&*+-=?^_", rng.randint(8, 18))
    word = rng.choice(_WORD_NAMES + tuple(n.capitalize() for n in _NOUNS))
    if kind == 2:
        return word + str(rng.randint(1, 2026)) + rng.choice("!#?*")
    if kind == 3:
        return (word + rng.choice(_NOUNS).capitalize()).replace("a", "4").replace("e", "3").replace("o", "0") + str(
            rng.randint(1, 99)
        )
    return word.lower() + str(rng.randint(10, 9999))


def key(rng: random.Random) -> str:
    kind = rng.randrange(8)
    if kind == 0:
        return "AKIA" + _take(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
    if kind == 1:
        return rng.choice(("ghp_", "gho_", "ghs_")) + _take(rng, _ALPHANUMERIC, 36)
    if kind == 2:
        return rng.choice(("sk_live_", "sk-", "pk_test_", "xoxb-", "glpat-", "SG.", "npm_", "hf_", "AIzaSy")) + _take(
            rng, _ALPHANUMERIC + "_-", rng.randint(20, 40)
        )
    if kind in (3, 4):
        return _take(rng, _HEX, rng.choice((24, 32, 32, 40, 64)))
    if kind == 5:
        return "eyJhbGciOiJIUzI1NiJ9.eyJ" + _take(rng, _ALPHANUMERIC, 30) + "." + _take(rng, _ALPHANUMERIC + "_-", 43)
    return _take(rng, _ALPHANUMERIC + "+/", rng.choice((20, 32, 40, 43, 64)))
