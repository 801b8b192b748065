/** Owns states, countries and peoples, which Safe Harbor leaves in a text. */
import type { Scan } from './scan.ts';
import { Gap } from './tokens.ts';

const states = `alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri|
montana|nebraska|nevada|new hampshire|new jersey|new mexico|new york state|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|washington state|west virginia|wisconsin|wyoming|
district of columbia|puerto rico|guam|new york|washington|
al|ak|az|ar|ca|co|ct|de|fl|ga|hi|id|il|in|ia|ks|ky|la|me|md|ma|mi|mn|ms|mo|mt|ne|nv|nh|nj|nm|ny|nc|nd|oh|ok|or|pa|ri|sc|sd|tn|tx|ut|vt|va|wa|wv|wi|wy|dc|pr|
ontario|quebec|alberta|manitoba|saskatchewan|nova scotia|british columbia|new brunswick`;
const countries = `united states|united states of america|usa|us|u s|u s a|america|canada|mexico|guatemala|honduras|el salvador|nicaragua|costa rica|panama|cuba|haiti|dominican republic|jamaica|colombia|venezuela|ecuador|peru|bolivia|chile|argentina|uruguay|paraguay|brazil|
united kingdom|uk|england|scotland|wales|ireland|northern ireland|france|germany|spain|portugal|italy|switzerland|austria|belgium|netherlands|holland|luxembourg|denmark|sweden|norway|finland|iceland|poland|czech republic|czechia|slovakia|hungary|romania|bulgaria|greece|turkey|
russia|ukraine|belarus|serbia|croatia|bosnia|slovenia|albania|macedonia|kosovo|montenegro|estonia|latvia|lithuania|moldova|georgia|armenia|azerbaijan|kazakhstan|uzbekistan|china|taiwan|japan|korea|south korea|north korea|mongolia|vietnam|thailand|laos|cambodia|burma|myanmar|malaysia|singapore|
indonesia|philippines|india|pakistan|bangladesh|nepal|sri lanka|afghanistan|iran|iraq|syria|lebanon|israel|palestine|jordan|saudi arabia|yemen|oman|qatar|kuwait|bahrain|united arab emirates|egypt|libya|tunisia|algeria|morocco|sudan|south sudan|ethiopia|eritrea|somalia|kenya|uganda|rwanda|burundi|
tanzania|congo|democratic republic of the congo|angola|zambia|zimbabwe|malawi|mozambique|madagascar|south africa|namibia|botswana|nigeria|ghana|ivory coast|cameroon|senegal|mali|niger|chad|liberia|sierra leone|guinea|equatorial guinea|gambia|togo|benin|burkina faso|gabon|australia|new zealand|fiji|samoa|tonga|
papua new guinea|bahamas|barbados|trinidad|tobago|trinidad and tobago|belize|guyana|suriname|antigua and barbuda|swaziland|lesotho|solomon islands|turkmenistan|tajikistan|kyrgyzstan|cyprus|malta|monaco|andorra|brunei|djibouti|mauritius|maldives|cape verde|cabo verde|comoros|dominica|grenada|saint lucia|saint vincent and the grenadines|saint kitts and nevis|sao tome and principe|seychelles|kiribati|nauru|palau|micronesia|marshall islands|tuvalu|vanuatu|bhutan|liechtenstein|san marino|vatican city|central african republic|
guinea bissau|mauritania|timor leste|east timor|hong kong|macau|greenland|faroe islands|bosnia and herzegovina|north macedonia|people s republic of china|republic of korea|cayman islands|bermuda|aruba|curacao|gibraltar|isle of man|jersey|guernsey|french guiana|french polynesia|new caledonia|martinique|guadeloupe|reunion|europe|asia|africa|south america|north america|latin america|kingdom of the netherlands|republic of the congo|republic of ireland|russian federation|islamic republic of iran|syrian arab republic|united republic of tanzania|
espana|estados unidos|reino unido|francia|alemania|italia|marruecos|rumania|brasil|mejico|suiza|ecuador|inglaterra|paises bajos|republica dominicana|rusia|ucrania`;

const byFirst = new Map<string, string[][]>();
const stateByFirst = new Map<string, string[][]>();
for (const [text, map] of [
  [states, stateByFirst],
  [states.replace('new york|washington|', '').replace(/\n(?:al\||[a-z]{2}\|)[\s\S]*?pr\|\n/, '\n'), byFirst],
  [countries, byFirst],
] as const)
  for (const phrase of text.split('|')) {
    const [first = '', ...rest] = phrase.trim().split(' ');
    map.set(
      first,
      [...(map.get(first) ?? []), rest].sort((a, b) => b.length - a.length),
    );
  }

/** Tokens of the state or its postal code that begins at a token; 0 for none. */
export function stateLength(scan: Scan, index: number): number {
  return lengthIn(stateByFirst, scan, index);
}

/** Tokens of the state or country that begins at a token; 0 for none. */
export function isCountryOrState(scan: Scan, index: number): number {
  return lengthIn(byFirst, scan, index);
}

/** Places of the words of states and countries that have more than one (`South Carolina`), each of which may be a name elsewhere. */
export function findRegions(scan: Scan): ReadonlySet<number> {
  const places = new Set<number>();
  for (let index = 0; index < scan.count; index++) {
    if (!scan.isCapital(index)) continue;
    const length = isCountryOrState(scan, index);
    for (let offset = 0; length > 1 && offset < length; offset++) places.add(index + offset);
  }
  return places;
}

function lengthIn(map: ReadonlyMap<string, readonly (readonly string[])[]>, scan: Scan, index: number): number {
  for (const rest of map.get(scan.at(index)) ?? []) {
    let at = index + 1;
    const isHere = rest.every((word) => {
      while (/^['.-]$/.test(scan.at(at)) && scan.isJoined(at)) at += 1;
      return scan.at(at) === word && scan.gap(at++) <= Gap.line;
    });
    if (isHere) return at - index;
  }
  return 0;
}

const peoples: ReadonlySet<string> = new Set(
  `american african asian european hispanic latino latina latinx caucasian english british irish scottish welsh french german spanish portuguese italian swiss austrian belgian dutch danish swedish norwegian finnish icelandic polish czech slovak
  hungarian romanian bulgarian greek turkish russian ukrainian serbian croatian bosnian slovenian albanian estonian latvian lithuanian armenian chinese taiwanese japanese korean vietnamese thai laotian cambodian burmese malaysian filipino filipina
  indonesian indian pakistani bangladeshi nepali nepalese afghan iranian persian iraqi syrian lebanese israeli palestinian jordanian saudi saudis yemeni egyptian libyan tunisian algerian moroccan sudanese ethiopian eritrean somali kenyan ugandan nigerian ghanaian
  cuban haitian dominican jamaican mexican guatemalan honduran salvadoran nicaraguan colombian venezuelan ecuadorian peruvian bolivian chilean argentinian brazilian canadian australian jewish christian catholic muslim islamic hindu buddhist mormon protestant jehovah
  witness orthodox baptist lutheran methodist arab arabic mandarin cantonese tagalog hindi urdu farsi swahili amharic hmong creole latin roman medicaid medicare navajo cherokee hawaiian alaskan samoan ashkenazi`
    .trim()
    .split(/\s+/),
);

/** A people, language or religion: told of many, so of nobody. */
export function isPeople(word: string): boolean {
  return peoples.has(word) || (word.endsWith('s') && peoples.has(word.slice(0, -1)));
}
