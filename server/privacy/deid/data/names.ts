/**
 * Owns the names that surrogates are made of. Given names are common ones and also tell which gender an original suggests; family
 * names are chosen to be no word of English or Spanish, no eponym of medicine and no brand, so that one in an answer is always a name.
 */
const split = (text: string): readonly string[] => text.trim().split(/\s+/);

export const femaleNames: readonly string[] = split(`
  Adelaide Agatha Annika Beatrix Bernadette Bettina Brigitte Camila Cassandra Cecily Clarissa Constance Cordelia Daphne Deirdre Dorothea Edwina Eleanor
  Elspeth Estelle Eugenia Felicity Fiona Frederica Genevieve Georgina Gertrude Gwendolyn Harriet Henrietta Hildegard Imogen Ingrid Isadora Jacqueline
  Josephine Katarina Lavinia Leonora Lucinda Magdalena Marguerite Mathilda Millicent Minerva Nanette Octavia Odette Ophelia Paulina Penelope Philippa
  Priscilla Rosalind Rosamund Sabrina Seraphina Sigrid Sylvia Tabitha Theodora Ulrika Ursula Valentina Verity Vivienne Wilhelmina Winifred Yolanda Zelda`);

export const maleNames: readonly string[] = split(`
  Alastair Albrecht Ambrose Anselm Archibald Augustin Barnaby Bartholomew Benedict Bertrand Caspian Cedric Clement Cornelius Cuthbert Cyril Desmond
  Dietrich Dominic Edmund Edwin Emmett Ephraim Ernest Fabian Ferdinand Fitzgerald Frederick Gareth Geoffrey Gilbert Gregory Gustav Hamish Harold
  Horatio Humphrey Ignatius Jarvis Jerome Lambert Lancelot Leander Leopold Lionel Ludwig Magnus Malachi Maurice Maximilian Mortimer Nathaniel Nigel
  Octavio Orlando Percival Quentin Raphael Reginald Roderick Rupert Sebastian Sigmund Silvester Thaddeus Theodore Ulysses Valentin Vincent Wendell Wolfgang`);

/** More that tell a gender; never given to anybody. */
export const femaleCues: ReadonlySet<string> = new Set(
  split(`mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley kimberly emily donna michelle
    carol amanda melissa deborah stephanie rebecca laura sharon cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine
    christine rachel carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan
    andrea cheryl hannah martha gloria teresa ann sara madison frances kathryn janice jean alice abigail sophia judy rosa carmen ana isabel lucia elena`),
);
export const maleCues: ReadonlySet<string> = new Set(
  split(`james robert john michael david william richard joseph thomas charles christopher daniel matthew anthony mark donald steven paul andrew joshua
    kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin
    samuel frank raymond alexander patrick jack dennis jerry tyler aaron jose adam nathan henry douglas zachary peter kyle noah ethan jeremy walter
    christian keith roger terry austin sean gerald carl harold dylan arthur lawrence jordan jesse bryan billy bruce juan carlos luis miguel pedro antonio`),
);

export const familyNames: readonly string[] = split(`
  Abernathy Achterberg Adeyinka Ainsworth Albescu Amundsen Anandkar Arrowsby Ashgrove Balakrishna Barrowclough Beaumarsh Bellweather Bjornstad Blenkinsop
  Bonaventura Brackenridge Brightwell Bruckheim Calloway Cartwell Castellanos Chatterley Coldbrook Corrigan Cranfield Dabrowska Dalrymple Danforth
  Delacourt Demetriou Dombrowski Donnelly Drummond Dunleavy Eastwick Edgecombe Eklund Ellsworth Engstrom Eriksson Fairbairn Fairweather Farnsworth
  Fennimore Ferreira Fitzwilliam Galbraith Gallowglass Garrity Gildersleeve Glendower Greenhalgh Grimsditch Gunnarsson Haverford Halvorsen Harkness
  Hathersage Hawthorne Hazelwood Heathcote Hendricks Hollingsworth Holmquist Huntingford Ibarguen Ivarsson Jablonski Kavanaugh Kensington Kilbride
  Kirkbride Kowalczyk Lachlan Langstrom Larkspur Lindqvist Llewellyn Lockridge Loxley MacAlister Maddox Mallory Marchetti Mayweather McAllen Merriweather
  Middlebrook Montague Moreland Narayanan Netherby Nightingale Northcott Oakeshott Okonjo Osterberg Pemberton Pendergast Penhaligon Pettigrew
  Pickersgill Quackenbush Quartermaine Radcliffe Ravensworth Redmayne Ridgeway Rosenquist Rotherham Rutherglen Saltonstall Sandringham Satterfield
  Silverstone Skeffington Sommerfeld Stavropoulos Sternwood Stoddard Stonebridge Strickland Sundqvist Tattersall Thackeray Thistlewood Thorvald
  Tillinghast Trelawney Underhill Vandermeer Vanterpool Varghesekar Wadsworth Wainwright Waldgrave Weatherby Westergaard Whitcombe Winterbourne Wolstenholme
  Woodhouse Wrigglesworth Yarborough Zabriskie Zellweger Zimmerling`);

/** Towns that are on no map of the United States, as far as the Census has them. */
export const placeNames: readonly string[] = split(`
  Alderwick Amberholt Ashcombe Birchmere Blackfern Brambleton Brindleford Caldermoor Cedarholt Clearhaven Copperfield Dunmarrow Eastmarch Elderbrook
  Fallowmere Fernhollow Foxmarch Glenmarrow Goldenford Greyhaven Harrowmere Hazelmarch Ironford Juniperton Kestrelby Larchmere Lindenmarch Maplehollow
  Marshwick Millhaven Northmarrow Oakmere Otterford Pinemarrow Quillhaven Ravenmere Redmarch Rushford Silvermere Southmarrow Stonemere Thornmarch
  Underbrook Violetmere Westmarrow Whitmarch Willowmere Winterford Yewhaven`);
