/** Fixed ports of a grid's own services, on the private network only. */
export const condorPort = 9618;
export const enrolmentPort = 9600;
