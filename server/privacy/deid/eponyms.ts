/** Owns the question whether a name stands for a disease, sign, test, operation or device here, by the words around it. */
import { hasMedicalEnding, Word } from './lexicon.ts';
import { actors } from './name-parts.ts';
import type { Scan } from './scan.ts';
import { Gap, Shape } from './tokens.ts';
import { set } from './words.ts';

/** What people's names are given to. */
const named =
  set(`disease diseases syndrome syndromes sign signs test tests testing criteria criterion score scores scale scales classification class grade grading staging stage index lymphoma sarcoma tumor tumour carcinoma
  tremor dementia chorea palsy paralysis reflex reflexes phenomenon maneuver manoeuvre procedure operation technique repair fracture dislocation deformity contracture nodes node nodules esophagus oesophagus ulcer ulcers
  thyroiditis arthritis dystrophy neuropathy ataxia anemia anaemia nephropathy gangrene catheter catheters tube clamp forceps retractor drain needle valve shunt pouch stoma bag brace boot cast splint pin wire rod nail plate screws screw
  position stain agar method model models regression hazard hazards analysis statistic statistics curve curves estimate estimates estimator coefficient correlation rank distribution plot law ratio formula equation
  inventory questionnaire assessment interview checklist protocol regimen diet line lines point triangle angle space canal duct gland glands body bodies cells cell corpuscle fibers loop membrane fascia ligament tendon muscle area
  palsies smear smears blot probe block anesthesia incision flap graft bypass anastomosis resection prosthesis implant ring lens scan study trial cohort risk score murmur pulse breathing respiration respirations sound sounds triad tetrad pentad
  virus fever encephalitis encephalopathy epilepsy seizures seizure tic tics neuroma cyst cysts hernia diverticulum spots spot lines patch rash purpura vasculitis granulomatosis sinus tachycardia arrhythmia effect law
  lengthening stretching rupture release insufficiency crisis psychosis amnesia aphasia agnosia apraxia facies gait posture stones bladder kidney lobe lung hip knee elbow wheal phalanx criteria chart frame hook hooks lift mask tear tears abscess angina stone crystals plexus foramen fissure ampulla ganglion nevus keratosis aneurysm sphincter tubercle vertigo contrast correction adjustment charts vaccine exercise exercises
  diagram stocking stockings dressing solution ointment needles speculum elevator dilator dilators scissors collar traction cage tray pack suture sutures gauze bands band bundle fibers node operation repair
  enfermedad sindrome signo prueba escala criterios clasificacion linfoma sarcoma tumor indice maniobra`);
const before = set(
  'sindrome enfermedad signo prueba escala criterios clasificacion linfoma sarcoma tumor indice maniobra test tecnica metodo fractura sonda tubo placa tincion anemia linfoma granulomatosis',
);

export function isEponymUse(scan: Scan, index: number): boolean {
  return namesThing(scan, index) || (scan.has(index, Word.eponym) && !scan.has(index, Word.female | Word.male) && !followsName(scan, index));
}

/**
 * Words that stand for a treatment or a thing somewhere in the text: alone in a row with a treatment (`cortisone and Synvisc`), or with a letter behind an
 * article (`the Landolt C`). They do so everywhere, unless a title, a label or a first name says better.
 */
export function findThings(scan: Scan): ReadonlySet<string> {
  const things = new Set<string>();
  for (let index = 1; index < scan.count; index++) {
    if (!scan.isCapital(index)) continue;
    const before = scan.at(index - 1);
    const isInRow = (before === 'and' || before === 'or') && isTreatment(scan, index - 2) && !scan.isCapital(index + 1) && !actors.has(scan.at(index + 1));
    const isLettered = /^(?:the|an|a)$/.test(before) && scan.length(index + 1) === 1 && scan.isCapital(index + 1) && scan.at(index + 2) !== '.';
    if (isInRow || isLettered) things.add(scan.at(index));
  }
  return things;
}

function isTreatment(scan: Scan, index: number): boolean {
  return scan.tokens.shapes[index] === Shape.lower && hasMedicalEnding(scan.at(index));
}

/** By the words around alone, whatever the lists say of the name. */
export function namesThing(scan: Scan, index: number): boolean {
  if (scan.gap(index) <= Gap.space && /^(?:de|del|d)$/.test(scan.at(index - 1)) && (before.has(scan.at(index - 2)) || before.has(scan.at(index - 3))))
    return true;
  const end = endOfEponym(scan, index);
  if (scan.gap(end) <= Gap.line && named.has(scan.at(end))) return true;
  if (
    scan.gap(end) <= Gap.space &&
    scan.has(index, Word.eponym) &&
    scan.at(end - 1) === 's' &&
    !scan.isCapital(end) &&
    scan.has(end, Word.medical | Word.english)
  )
    return true;
  // `Mallory-Weiss tear`, `Brodie abscess`: a word of medicine behind a name of the list, which is no verb of somebody.
  if (
    scan.gap(end) === Gap.space &&
    scan.has(index, Word.eponym) &&
    !scan.isCapital(end) &&
    scan.has(end, Word.medical) &&
    !/(?:s|ed|ing)$/.test(scan.at(end)) &&
    !followsName(scan, index)
  )
    return true;
  // One word may stand between: `Barrett's dysplastic mucosa`, `Kaplan-Meier survival curves`.
  if (
    scan.gap(end) <= Gap.space &&
    scan.isWord(end) &&
    !scan.isCapital(end) &&
    named.has(scan.at(end + 1)) &&
    scan.gap(end + 1) <= Gap.space &&
    scan.has(index, Word.eponym)
  )
    return true;
  if (scan.at(index - 1) === '-' && scan.isJoined(index) && scan.has(index, Word.eponym) && scan.has(index - 2, Word.eponym)) return true;
  return end > index + 1 && scan.at(index + 1) === '-' && scan.has(index, Word.eponym) && scan.has(index + 2, Word.eponym);
}

/** An eponym after somebody's first name, a title or an initial is that person's name. */
function followsName(scan: Scan, index: number): boolean {
  const at = scan.at(index - 1) === '.' ? index - 2 : index - 1;
  if (scan.gap(index) > Gap.space) return false;
  return (scan.isCapital(at) && scan.has(at, Word.female | Word.male)) || (scan.length(at) === 1 && scan.isCapital(at)) || scan.typeOf(at) === 'NAME';
}

/** Past further names (`Mann-Whitney`, `Guillain-Barré`, `Brown Sequard`) and the possessive. */
function endOfEponym(scan: Scan, index: number): number {
  let at = index + 1;
  for (let parts = 0; parts < 4; parts++) {
    if (scan.at(at) === "'" && scan.isJoined(at)) at += scan.at(at + 1) === 's' && scan.isJoined(at + 1) ? 2 : 1;
    else if (scan.at(at) === '-' && scan.isCapital(at + 1) && scan.isJoined(at)) at += 2;
    else if (scan.isCapital(at) && scan.gap(at) === Gap.space && scan.has(at, Word.eponym)) at += 1;
    else break;
  }
  return at;
}
