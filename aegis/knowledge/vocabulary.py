"""Lists of words that say little: which ones name no subject, and which are weak as terms."""

from __future__ import annotations

from typing import Final

STOP_WORDS: Final = frozenset(
    """
    a about above across after again against all almost along already also although always
    am among an and another any anyone anything are around as at away b back be became
    because become becomes been before being below besides best better between beyond both
    but by c came can cannot come could d did do does doing done dont down due during e each
    either else enough especially et etc even ever every everything f far few finally first
    for from further g get gets given gives go goes h had has have having he hence her here
    him his how however i if ii iii in indeed instead into is isnt it its itself j just k
    kind l last later least less let like likely ll m made mainly make makes making many may
    maybe me might mine more moreover most mostly much must my n namely near nearly need
    needs neither never no nor not nothing now o of off often on once one ones only onto or
    other others otherwise our ours out over own p per perhaps please put q quite r rather
    re really s said same say see seem seems seen several shall she should since so some
    something sometimes soon still such t take taken than that the their them themselves
    then there therefore these they thing things this those though through throughout thus
    to together too toward towards two u under unless until up upon us use used uses using
    usually v ve very via vs w was way ways we well were what whatever when where whereas
    whether which while who whole whom whose why will with within without would x y yes yet
    you your yours z
    """.split()  # noqa: SIM905 - a list of so many words is read as text
)
"""Words that name no subject."""

WEAK_WORDS: Final = frozenset(
    """
    able achieve achieved achieves additional additionally address aim allow allows applied
    apply approach approaches available based benefit call called case cases challenge
    challenges choose code common commonly compare compared comprehensive consider contrast
    current demonstrate demonstrates describe design despite develop different difficult
    easy effective effectively efficient enable enables evaluate evaluation example examples
    exist existing experiment experiments explore extensive fact find finding findings focus
    follow following form framework full general generally github good great hard help high
    highly hold http https idea important improve improved improvement improves improving
    include including increase introduce introduced introduces investigate issue keep key
    know known lack large larger lead leads leave limit limited long low lower main mean
    means method methods new novel number numerous obtain order original outperform
    outperforms paper part perform performance point possible potential present presents
    previous prior problem problems produce propose proposed proposes provide provides range
    ratio real recent recently reduce reduces remain remains report require required
    requires research rest result results reveal robust second set show showing shown shows
    significant significantly similar simple simply single size small solution sota special
    specific specifically stay step strong study suffer support system systems task tasks
    technique techniques term test third three time today total turn type typical typically
    understand understanding unlike various want widely work works world write www year
    years zero
    """.split()  # noqa: SIM905 - the same
)
"""Words of scientific prose that are weak as terms alone."""
