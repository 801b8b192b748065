"""Microsoft Presidio as a peer of the bench: reads lines {"text"} from standard input, writes a line of spans {"start","end","type"} for each (offsets in UTF-16 units).

Development only. Needs presidio-analyzer and a spaCy model in the Python that runs it; the first argument names the model.
"""
import json
import sys

from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

categories = {
    'PERSON': 'NAME', 'LOCATION': 'GEO', 'DATE_TIME': 'DATE', 'PHONE_NUMBER': 'PHONE', 'EMAIL_ADDRESS': 'EMAIL', 'US_SSN': 'SSN', 'CREDIT_CARD': 'ACCOUNT', 'IBAN_CODE': 'ACCOUNT',
    'US_BANK_NUMBER': 'ACCOUNT', 'CRYPTO': 'ACCOUNT', 'MEDICAL_LICENSE': 'LICENSE', 'US_DRIVER_LICENSE': 'LICENSE', 'IP_ADDRESS': 'IP', 'URL': 'URL',
}


def main():
    configuration = {'nlp_engine_name': 'spacy', 'models': [{'lang_code': 'en', 'model_name': sys.argv[1]}]}
    engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=configuration).create_engine(), supported_languages=['en'])
    for line in sys.stdin:
        text = json.loads(line)['text']
        offsets = [0]
        for character in text:
            offsets.append(offsets[-1] + (2 if ord(character) > 0xFFFF else 1))
        spans, end = [], 0
        for found in sorted(engine.analyze(text=text, language='en'), key=lambda one: (one.start, -one.end)):
            if found.start < end or found.entity_type in ('NRP', 'ORGANIZATION'):
                continue
            end = found.end
            spans.append({'start': offsets[found.start], 'end': offsets[found.end], 'type': categories.get(found.entity_type, 'OTHER_ID')})
        print(json.dumps(spans), flush=True)


main()
