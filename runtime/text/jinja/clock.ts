/**
 * Owns strftime_now of chat templates: the time of this machine in Python's forms, in English whatever the machine speaks.
 */
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

const two = (value: number): string => String(value).padStart(2, '0');

const forms: Readonly<Record<string, (now: Date) => string>> = {
  Y: (now) => String(now.getFullYear()),
  y: (now) => two(now.getFullYear() % 100),
  m: (now) => two(now.getMonth() + 1),
  d: (now) => two(now.getDate()),
  e: (now) => String(now.getDate()).padStart(2, ' '),
  B: (now) => months[now.getMonth()] as string,
  b: (now) => (months[now.getMonth()] as string).slice(0, 3),
  A: (now) => days[now.getDay()] as string,
  a: (now) => (days[now.getDay()] as string).slice(0, 3),
  H: (now) => two(now.getHours()),
  I: (now) => two(now.getHours() % 12 || 12),
  p: (now) => (now.getHours() < 12 ? 'AM' : 'PM'),
  M: (now) => two(now.getMinutes()),
  S: (now) => two(now.getSeconds()),
  '%': () => '%',
};

/** `%-d` leaves out the zero in front; what is no form stays. */
export function formatTime(format: string, now: Date): string {
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, isShort: string, form: string) => {
    const written = Object.hasOwn(forms, form) ? forms[form]?.(now) : undefined;
    if (written === undefined) return whole;
    return isShort === '-' ? written.replace(/^[0 ](?=.)/, '') : written;
  });
}
