-- Write down that there is news of a visit to Checkout: it is looked into now. One whose record was
-- lost is known again where the news say what to look into at Stripe.
-- KEYS[9] checkout
-- ARGV[5] checkout id   ARGV[6] 'payment' or 'setup'
-- ARGV[7] Checkout Session, ARGV[8] PaymentIntent, '' where the news does not say
-- Replies {'unknown_account' | 'owed' | 'finished' | 'unknown'}

if redis.call('EXISTS', ACCOUNT) == 0 then return { 'unknown_account' } end
local state = redis.call('HGET', KEYS[9], 'state')
if state == 'succeeded' then return { 'finished' } end
if not state and ARGV[7] == '' and ARGV[8] == '' then return { 'unknown' } end
for field, value in pairs({ account = ID, mode = ARGV[6], state = 'open', session = ARGV[7],
    payment_intent = ARGV[8] }) do
  if value ~= '' then redis.call('HSETNX', KEYS[9], field, value) end
end
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
note_news(OWED, TRIES, 'checkout:' .. ARGV[5], NOW, WAKE)
return { 'owed' }
