/** Owns what is needed of Spanish: everyday words of its clinical notes, which are no names, and its provinces and regions, which are below the state. */
import { set } from './words.ts';

export const spanishWords: ReadonlySet<string> =
  set(`a al algo alta ambos ambas ante antes antecedentes anos apellidos aparece aproximadamente aqui asi aunque ayuda bajo buena buen bueno cabo cada cara casi caso casos centro como con consulta contra control
  cual cuando cuatro cuadro cuya cuyo dado datos de debido decide dentro derecha derecho desde despues dia dias diagnostico dicha dicho dos durante edad el ella ellos en enfermedad ente entre episodio era esa ese eso esta estado estan estas este esto estos estudio
  evolucion exploracion fecha fin fue fueron gran ha haber habia hace hacia hallazgos han hasta hay historia hombre horas hospital hoy informe ingreso inicia inicio izquierda izquierdo juicio la lado las le lesion lesiones libre lo localidad los luego lugar mal manejo mano masa maxima mayor
  medico medica media medio menor menos mes meses mientras misma mismo mitad momento motivo mucho mujer muy nada ni nino nina nivel no noche nombre normal nos nosotros nuestro nuestra o observa once oseas otra otras otro otros paciente pacientes pais para parte pero peso piel poco por porque
  posible posterior presenta presento previo primer primera pronto prueba pruebas pues que quien raza realiza realizo realizamos refiere remitido respecto responsable resultado retira sala se seca segun segunda segundo seis semana semanas ser servicio sexo si sido siempre siendo siguiente sin sino
  sobre solo son su sus tal tambien tampoco tan tanto tecnica tiempo tiene toda todas todo todos toma tras tratada tratado tratamiento tres tumor tuvo un una unas uno unos urgencias uso vale varon varios vez vida via visita ya y zona total motivos dolor actual resumen nuevo nueva
  clinica clinico remite especialidad urologia nefrologia cirugia oftalmologia interna medicina seccion unidad planta residente domicilio provincia codigo postal telefono correo fumador fumadora alergias domicilio datos asistenciales nacimiento actualmente principal secundario`);

export const spanishRegions: ReadonlySet<string> =
  set(`alava albacete alicante almeria asturias avila badajoz baleares barcelona bizkaia burgos caceres cadiz cantabria castellon ceuta cordoba cuenca gerona girona granada guadalajara gipuzkoa guipuzcoa huelva huesca jaen coruna leon lerida lleida lugo madrid malaga
  melilla murcia navarra nafarroa orense ourense palencia pontevedra rioja salamanca segovia sevilla soria tarragona tenerife teruel toledo valencia valladolid vizcaya zamora zaragoza andalucia aragon canarias cataluna catalunya extremadura galicia euskadi donostia euskadi bilbao`);
