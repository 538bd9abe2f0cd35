/** Where the tests find a RabbitMQ server, `amqp://…`; without one they are skipped, and the run says so. */
export const amqpUrl = process.env['WAYBILL_TEST_AMQP'] ?? '';
