/** Numbers: by label, by shape, by check digits; and the numbers of clinical text, which stay. */
import { describe, expect, test } from 'vitest';
import { find } from './find.ts';

describe('found', () => {
  test.each([
    ['SSN by shape', 'SSN 219-09-9999.', ['SSN:219-09-9999']],
    ['SSN over a line break', 'his number is 219-09-\n9999', ['SSN:219-09-\n9999']],
    ['SSN in full-width digits', 'SSN ２１９-０９-９９９９', ['SSN:２１９-０９-９９９９']],
    ['record number after a colon', 'MRN: 00483920', ['MRN:00483920']],
    ['record number with its label, which belongs to it', 'chart of MRN 4839201 pulled', ['MRN:MRN 4839201']],
    ['record number with letters', 'Medical Record Number: KH-2024-118', ['MRN:KH-2024-118']],
    ['plan', 'Member ID: XKR-998-2210', ['HEALTH_PLAN:XKR-998-2210']],
    ['Medicare', 'Medicare Number: 1EG4-TE5-MK73', ['HEALTH_PLAN:1EG4-TE5-MK73']],
    ['account', 'Acct #: 5520981', ['ACCOUNT:5520981']],
    ['licence', 'License #: RN-220417', ['LICENSE:RN-220417']],
    ['NPI', 'NPI 1234567893', ['LICENSE:1234567893']],
    ['vehicle by its check digit (the example of 49 CFR 565)', 'car 1M8GDM9AXKP042788 in the lot', ['VEHICLE:1M8GDM9AXKP042788']],
    ['plate', 'license plate: 7ABC123', ['VEHICLE:7ABC123']],
    ['device', 'pacemaker, serial number PJN610432H, checked', ['DEVICE:PJN610432H']],
    ['card by Luhn (a test number of the networks)', 'paid with 4111 1111 1111 1111', ['ACCOUNT:4111 1111 1111 1111']],
    ['IBAN (the example of ISO 13616)', 'to GB82 WEST 1234 5698 7654 32 today', ['ACCOUNT:GB82 WEST 1234 5698 7654 32']],
    ['a code without a label', 'see JKM-5520981 for more', ['OTHER_ID:JKM-5520981']],
    ['a long code of letters and digits', 'under Quillac942e31eb505fac1 there', ['OTHER_ID:Quillac942e31eb505fac1']],
    ['UUID', 'id 123e4567-e89b-12d3-a456-426614174000', ['OTHER_ID:123e4567-e89b-12d3-a456-426614174000']],
    ['telephone', 'call (312) 555-0142 today', ['PHONE:(312) 555-0142']],
    ['telephone with an extension', 'at 312-555-0142 x215.', ['PHONE:312-555-0142 x215']],
    ['telephone with an extension before an item', '1) call 312-555-0142x215 2) rest', ['PHONE:312-555-0142x215']],
    [
      'telephone with spaces between its digits',
      'phone 3 1 2 - 5 5 5 - 0 1 4 2 or (3 1 2) 5 5 5 - 0 1 4 3',
      ['PHONE:3 1 2 - 5 5 5 - 0 1 4 2', 'PHONE:(3 1 2) 5 5 5 - 0 1 4 3'],
    ],
    ['SSN with spaces between its digits', 'his 2 1 9 - 0 9 - 9 9 9 9 today', ['SSN:2 1 9 - 0 9 - 9 9 9 9']],
    ['record number over a line break', 'MRN: 48392\n0117\nSeen today', ['MRN:48392\n0117']],
    ['fingerprint', 'Fingerprint ID: FP-889123', ['BIOMETRIC:FP-889123']],
    ['photograph', 'photo file: IMG_20394', ['PHOTO:IMG_20394']],
    ['telephone before an item', '1) call Dr. at 312-555-0142 2) rest', ['PHONE:312-555-0142']],
    ['telephone with its label behind', '9885 1152-Office', ['PHONE:9885 1152']],
    ['telephone with a country', 'reach him on +49 30 901820', ['PHONE:+49 30 901820']],
    ['telephone without an area, behind a label', 'phone 555-0142', ['PHONE:555-0142']],
    ['fax', 'Fax: 312.555.0143', ['FAX:312.555.0143']],
    ['Spanish labels', 'NHC: 2233445. NASS: 28 11223344 55. NºCol: 28 28 12345.', ['MRN:2233445', 'HEALTH_PLAN:28 11223344 55', 'LICENSE:28 28 12345']],
  ])('%s', (_, text, expected) => expect(find(text)).toEqual(expected));
});

describe('left', () => {
  test.each([
    'BP 120/80, HR 72, RR 16, SpO2 98 % on 2 L, temp 37.2',
    'WBC 12.5, Hgb 9.8, platelets 250,000, glucose 110 mg/dL',
    'heparin 5000 units sc, vancomycin 1250 mg q12h, 0.9 % NaCl 1000 ml',
    'ICD-10 code E11.9, CPT 99213, trial NCT01234567, variant rs1801133',
    'eGFR 45, 3-4 times a day, grade 2-3, T12-L1, CD4 350',
    'FiO2 36 %, PEEP 5, 4/5 strength, 2-3 cm, 10-20 mg',
    'pain 0 1 2 3 4 5 6 7 8 9 10, grades 1 - 2 - 3 - 4 - 5 - 6 - 7',
    'SARS-CoV-2 PCR negative, HLA-B27 positive, G6PD normal',
  ])('%s', (text) => expect(find(text)).toEqual([]));
});
