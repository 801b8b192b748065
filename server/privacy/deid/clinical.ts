/**
 * Owns what the packages do not list: abbreviations of clinical notes, words of forms and units, and the names that stand for signs, tests, devices and
 * statistics. Written by hand from general knowledge of medicine.
 */
const list = (text: string): readonly string[] => text.trim().split(/\s+/);

export const clinicalAbbreviations: readonly string[] = list(`
  pt pts hx tx dx rx sx fx cx bx ppx abx px hpi pmh psh fh sh ros pe cc iop bp hr rr temp sat sats spo fio bmi ht wt lbs kg mg mcg ml dl mmol meq iu
  po iv im sc sq pr prn qd bid tid qid qhs qam qpm npo nkda nka wnl nad aox perrl perrla heent cv resp abd gu gi neuro msk ext cns pns cvs ent obgyn
  ed er icu micu sicu nicu picu ccu pacu or ob gyn peds ortho onc heme neph cards pulm endo derm ophtho psych rehab snf ltac ltach hh pcp pmd pcm
  cbc bmp cmp lft lfts bun cr gfr egfr hgb hct plt wbc rbc inr ptt pt ptinr abg vbg ua bnp tsh ldl hdl crp esr psa hba aic alt ast alp ggt ck ckmb trop
  ekg ecg eeg emg echo tte tee cxr ct mri mra cta us pet dexa egd ercp tips cabg pci ptca stemi nstemi mi cad chf hf hfref hfpef afib af vt vf svt pvc pac
  copd osa ards pna uri uti pe dvt vte tia cva ich sah sdh gerd pud ibd ibs uc cd hcc nash nafld ckd esrd aki hd pd ra oa sle ms als pd ad mdd gad ptsd
  adhd ocd asd dm tdm iddm niddm htn hld hchol pvd pad aaa avm cabg icd ppm crt lvad ecmo bipap cpap hfnc nc ett trach peg ngt ogt foley picc cvc ivf tpn
  rom adl adls iadl iadls pt ot slp cm sw dme dnr dni poa hcp mds sbp dbp map cvp jvd jvp lad lca rca lima svg lvef ef ivc svc lbbb rbbb sob doe pnd loc
  lmp edd ga gbs gtpal nsvd svd cs vbac iugr prom pprom rds bpd rop pda vsd asd tof nec ivh dol pma uop rml rll rul lll lul ruq rlq luq llq
  s1 s2 nsr rrr ctab ctabl ntnd nt nd bs cva tenderness cta ctax wd wn yo yof yom mo wk wks yr yrs hrs hr min mins sec approx
  hiv aids hbv hcv hpv hsv vzv cmv ebv rsv covid sars mrsa mssa vre cdiff esbl kpc tb ppd bcg mmr tdap dtap ipv hib pcv flu
  nsaid nsaids ssri ssris snri tca maoi acei arb arbs ccb bb ppi ppis doac doacs noac asa apap tmp smx pcn lmwh ufh hctz
  dr mr mrs ms md do rn lpn np pa pac cna lcsw msw phd pharmd dpm dds dmd ffp prbc cryo fena bal vats lar apr tah bso tlh tka tha orif acl mcl pcl lcl
  recs rec pos neg eval evals fu ffup followup preop postop intraop perioperative periop wbat nwb pwb dc dcd adm admit admits tolerating freq pref info meds
  lab labs vitals exam exams ddx ddxs dob mrn ssn fin csn npi dea hicn mbi uop hob gtt gtts bolus echo cath caths stent stents vent vents sats hosp ins ref refs
  ekgs ctas cxrs mris hcg bhcg afp cea ca tsat tibc fe mch mchc mcv rdw anc alc hla ana anca rf ccp dsdna scl acct accts mtp pip dip mcp cmc
  iban bic swift atm ein tin bot chatbot
  ambulate ambulates ambulated retic bili tbili dbili lipase trops lytes mag phos ptx htx ptosis rsb lsb pmi usg uds etoh ivdu ivda tob ppd cig cigs appy chole
`);

export const clinicalWords: readonly string[] = list(`
  telehealth telemetry inpatient inpatients outpatient outpatients caregiver caregivers preauthorization copay deductible subcutaneously intravenously
  afebrile normocephalic atraumatic normotensive anicteric nontender nondistended nonlabored supple icteric edematous guaiac
  bibasilar bilaterally unremarkable noncontributory comorbid comorbidities polypharmacy sublingual transdermal nebulizer nebulized inhaler inhalers
  weightbearing debridement dehiscence erythema purulent serosanguineous hemodynamically hemodynamic perfusing perfused extubated intubated
  discharge disposition prognosis etiology assessment assessments impression plan subjective objective interval history physical exam examination
  medications medication allergies immunizations vitals labs imaging radiology pathology cardiology oncology neurology nephrology urology
  gastroenterology pulmonology endocrinology rheumatology hematology dermatology ophthalmology psychiatry pediatrics pediatric neonatology obstetrics
  gynecology orthopedics orthopaedics anesthesiology anesthesia surgery surgical emergency trauma intensive critical care unit department clinic ward
  hospitalist intensivist physician resident fellow attending consult consultant consultation referring primary nurse practitioner therapist pharmacist
  dietitian hospice palliative skilled nursing facility rehabilitation telehealth ambulatory urgent lab laboratory pharmacy monday tuesday wednesday thursday friday saturday sunday january february march july september october november december
  hispanic latino latina caucasian asian african american native english spanish mandarin cantonese vietnamese korean arabic russian tagalog
  medicare medicaid tricare aetna cigna humana kaiser hipaa fda cdc nih who ada aha acc asco nccn gold acog aap uspstf idsa kdigo esc easl aasld
  covid sars moderna pfizer biontech janssen astrazeneca google zoom epic cerner meditech uptodate pubmed cochrane medline embase
  unilateral bx microbiome biosimilar biosimilars biomarker biomarkers genotype phenotype antihypertensives anticoagulation
  anticoagulants anticoagulant immunotherapy chemo chemoradiation radiotherapy neoadjuvant adjuvant stenting thrombolytics antiplatelet
  mini screenings telemonitoring comorbidity tapering titration titrate titrated uptitrate downtitrate deescalation
  healthcare dialysis infusion rehab icu isolette handoff handoffs signout weeker nonsmoker vaping edibles app website login online email smartphone
`);

/** Folded; in several words only the ones that could be taken for a person. */
export const clinicalEponyms: readonly string[] = list(`
  addison adson albright allen alport alzheimer alzheimers apgar apley argyll robertson ascher asperger austin babinski baker bankart barlow barre barrett barretts barton
  bartter basedow batten beck becker behcet bell bennett berg berger bernard besnier beta bethesda billroth bishop bland altman blalock taussig blumberg
  boerhaave bohler bonferroni borg bowen boyd braden branham breslow bright brigham broca brodie brown sequard brudzinski budd chiari buerger burkitt burrow
  cabot calve cantor caplan charcot marie tooth chadwick chagas chediak higashi cheyne stokes child pugh chvostek clark claude cobb codman cohen colles conn cooley coombs corrigan
  cowden cox creutzfeldt jakob crigler najjar crohn crohns cronbach cullen cushing cushings dandy walker darier darrow daves delorme dequervain quervain derby dercum dieulafoy
  doppler down downs dressler duchenne duke dukes dunnett dupuytren durkheim ebstein edwards ehlers danlos eisenmenger epley epworth erb evans ewing fabry fahr fallot fanconi felty
  finkelstein fisher fitz hugh curtis fleischner fleming foley fontaine fournier fowler framingham freiberg frei friedreich froment fuchs fuhrman galeazzi gamna gardner gartland garden
  gaucher gehrig gehrigs gerstmann giemsa gilbert gilles tourette gitelman glasgow gleason glisson goldman goodpasture gottron gower gowers gram graves grey turner grawitz guillain gustilo anderson
  guyon haglund hailey hamilton hardy hartmann hashimoto hashimotos hawkins hawthorne heberden heimlich heller henoch schonlein schoenlein hering hickman hill sachs hirschsprung hodgkin hodgkins
  hoffmann hoffman homan homans hoover horner hosmer lemeshow hounsfield howell jolly hughes hunt hunter hurler huntington huntingtons hutchinson insall jackson jaccard jacobson
  janeway jarisch herxheimer jefferson jobe jones judkins kahn kallmann kaplan meier kaposi karnofsky kartagener kasabach merritt kasai katz kawasaki kayser fleischer kehr kegel kendall kennedy kerley kernig
  kienbock killip kimmelstiel wilson kleihauer betke klinefelter klippel feil klumpke kocher koch koebner kohler kolmogorov smirnov koplik korotkoff korsakoff kruskal wallis krukenberg kugelberg kupffer kussmaul
  lachman laennec lambert eaton landau kleffner langerhans laplace larsen larson laseque lasegue leber lefort legg perthes leigh lennox gastaut leriche lesch nyhan levene leydig lewy lhermitte libman likert
  lichtenstein lisfranc lister loeffler loffler lou ludwig luer lugol lund lyme lynch mackenzie maddrey maisonneuve mallory weiss mann whitney mantel haenszel mantoux marcus gunn marfan marfans marjolin
  markov mayer mayo mcardle mcburney mccune mcmurray mcnemar meckel meigs meissner mendel mendelian mendelson menetrier meniere menieres menkes merkel minnesota mirizzi mohs mondor monro monte monteggia montgomery moro morton morse munchausen murphy
  naegele nagelkerke neer nelson newcastle niemann pick nikolsky nissen noonan norwood ober ogilvie ockham olecranon ollier ortner osgood schlatter osler osteoclast ottawa paget pagets pancoast pap papanicolaou papez parinaud parkinson parkinsons patau pearson pel ebstein
  pelger huet perthes peutz jeghers peyronie pfannenstiel phalen pierre robin pittsburgh plummer vinson poisson pott potts potter prader willi pringle prinzmetal purkinje quincke ramsay ranson rapp raynaud raynauds
  recklinghausen reed sternberg reiter reiters rett reye rinne rockall romberg rorschach rosenbaum roth roux rovsing rutherford salter harris sandoz schatzki scheffe scheuermann schilling schirmer schmorl schober schwann schwartz seldinger sertoli sever
  sengstaken blakemore sezary shapiro wilk sheehan shy drager simmonds simpson sims sipple sjogren sjogrens skene smith snellen southern spearman speed spitz spurling stanford starling steele richardson stein leventhal steinmann stevens johnson
  stickler still sturge weber sweet swan ganz swyer sydenham takayasu takotsubo tanner tay sachs tensilon thomas thomsen thompson tinel tinels todd tourette tourettes treacher collins trendelenburg trousseau tukey turcot turner tzanck uhthoff
  valsalva vater vincent virchow volkmann waardenburg waldenstrom wallenberg warthin waterhouse friderichsen watson schwartz weber wechsler wegener wegeners weil weill wells wenckebach werdnig werner wernicke
  wharton whipple white wilcoxon williams wilms wilson wilsons wiskott aldrich wolff parkinson wolf hirschhorn wood yates yergason young burgess zenker zollinger ellison zung
  ishihara jaeger jamar kirschner lasik macewen malecot mallampati mccoy miller mahurkar minerva mahaim penrose pleurx yankauer jackson pratt blake hemovac bovie bard ambu bivona shiley passy muir hoyer
  levine leopold lees lees ivor lewis hartmanns ringer ringers dakin dakins burow burows lugols hanks castellani bosworth bunnell campbell coons crede denis dobhoff corpak kangaroo groshong broviac quinton tenckhoff tesio permcath
  gower jendrassik stinchfield patrick faber gaenslen thessaly noble dix hallpike semont brandt daroff weinstein semmes jebsen berg tinetti braden norton waterlow beighton brighton kurtzke rankin barthel fugl ashworth tardieu
  hachinski folstein zarit cornell stroop beery bayley denver vineland conners vanderbilt edinburgh hamd madrs columbia yale brown montreal addenbrooke boston wada rey osterrieth trail
  charlson elixhauser deyo apache sofa qsofa meld wells geneva perc heart grace timi killip cha has bled rcri gupta stone caprini padua khorana
  clavien dindo strasberg bismuth corlette forrest prague zargar rutgeerts mayo truelove witts harvey bradshaw bristol rome
  enneking weiland frykman schatzker weber pauwels evans winquist paprosky crowe tonnis graf ficat steinberg kellgren lawrence outerbridge
  hinchey dukes haggitt nottingham scarff bloom richardson fuhrman gleason breslow clark ann arbor lugano binet rai durie salmon deauville
  fitzpatrick norwood hurley pasi hunt hess spetzler karnofsky lansky ecog engel
`);
