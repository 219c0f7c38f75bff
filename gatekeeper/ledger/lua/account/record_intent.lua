-- Store the PaymentIntent of a top-off before it is confirmed. The first one stored stays.
-- KEYS[9] top-off
-- ARGV[5] top-off id   ARGV[6] PaymentIntent
-- Replies {'unknown_topoff'} or {'stored', the PaymentIntent that counts}

if redis.call('HGET', KEYS[9], 'state') ~= 'charging' then return { 'unknown_topoff' } end
redis.call('HSETNX', KEYS[9], 'payment_intent', ARGV[6])
return { 'stored', redis.call('HGET', KEYS[9], 'payment_intent') }
