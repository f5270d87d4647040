"""After Pagila: domains, an enum, arrays, a search vector kept by a trigger, partitions, views."""

from tests.real_shapes.shape import Shape

PAGILA = Shape(
    kind="postgresql",
    script="""
CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
CREATE DOMAIN year AS integer CHECK (VALUE >= 1901 AND VALUE <= 2155);
CREATE FUNCTION last_updated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.last_update = CURRENT_TIMESTAMP; RETURN NEW; END $$;
CREATE TABLE language (language_id SERIAL PRIMARY KEY, name CHARACTER(20) NOT NULL, last_update TIMESTAMPTZ NOT NULL DEFAULT now());
CREATE TABLE actor (actor_id SERIAL PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, last_update TIMESTAMPTZ NOT NULL DEFAULT now());
CREATE TRIGGER last_updated BEFORE UPDATE ON actor FOR EACH ROW EXECUTE FUNCTION last_updated();
CREATE TABLE film (film_id SERIAL PRIMARY KEY, title TEXT NOT NULL, description TEXT, release_year year, language_id INTEGER NOT NULL REFERENCES language,
  rental_duration SMALLINT NOT NULL DEFAULT 3, rental_rate NUMERIC(4,2) NOT NULL DEFAULT 4.99, length SMALLINT,
  replacement_cost NUMERIC(5,2) NOT NULL DEFAULT 19.99, rating mpaa_rating DEFAULT 'G', special_features TEXT[], fulltext TSVECTOR NOT NULL);
CREATE INDEX film_fulltext ON film USING gist (fulltext);
CREATE TRIGGER film_fulltext_trigger BEFORE INSERT OR UPDATE ON film FOR EACH ROW
  EXECUTE FUNCTION tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'description');
CREATE TABLE film_actor (actor_id INTEGER NOT NULL REFERENCES actor ON UPDATE CASCADE ON DELETE RESTRICT,
  film_id INTEGER NOT NULL REFERENCES film ON UPDATE CASCADE ON DELETE RESTRICT, last_update TIMESTAMPTZ NOT NULL DEFAULT now(), PRIMARY KEY (actor_id, film_id));
CREATE TABLE store (store_id SERIAL PRIMARY KEY, manager_staff_id INTEGER NOT NULL UNIQUE);
CREATE TABLE staff (staff_id SERIAL PRIMARY KEY, first_name TEXT NOT NULL, email TEXT, store_id INTEGER NOT NULL REFERENCES store, active BOOLEAN NOT NULL DEFAULT true,
  picture BYTEA);
CREATE TABLE customer (customer_id SERIAL PRIMARY KEY, store_id INTEGER NOT NULL REFERENCES store ON UPDATE CASCADE, first_name TEXT NOT NULL,
  activebool BOOLEAN NOT NULL DEFAULT true, create_date DATE NOT NULL DEFAULT CURRENT_DATE, last_update TIMESTAMP DEFAULT now(), active INTEGER);
CREATE TABLE rental (rental_id SERIAL PRIMARY KEY, rental_period TSTZRANGE NOT NULL, customer_id INTEGER NOT NULL REFERENCES customer, took INTERVAL);
CREATE TABLE payment (payment_id SERIAL, customer_id INTEGER NOT NULL REFERENCES customer, rental_id INTEGER NOT NULL REFERENCES rental,
  amount NUMERIC(5,2) NOT NULL, payment_date TIMESTAMPTZ NOT NULL, PRIMARY KEY (payment_date, payment_id)) PARTITION BY RANGE (payment_date);
CREATE TABLE payment_p2022_01 PARTITION OF payment FOR VALUES FROM ('2022-01-01 00:00+00') TO ('2022-02-01 00:00+00');
CREATE TABLE payment_p2022_02 PARTITION OF payment FOR VALUES FROM ('2022-02-01 00:00+00') TO ('2022-03-01 00:00+00');
INSERT INTO language (name) VALUES ('English'), ('');
INSERT INTO actor (first_name, last_name, last_update) VALUES ('Ada', 'Lovelace', '2022-02-15 09:34:33.5+00'), ('', 'O''Neill', '2022-02-15 09:34:33+00');
INSERT INTO film (title, description, release_year, language_id, length, rating, special_features) VALUES
  ('Academy', 'An epic drama', 2006, 1, 86, 'PG-13', '{Trailers,"Deleted, \\"Scenes\\"",NULL}'), ('Ünïcode', NULL, NULL, 1, NULL, NULL, NULL), ('Empty', '', 1901, 2, 0, 'NC-17', '{}');
INSERT INTO film_actor (actor_id, film_id) VALUES (1, 1), (2, 1), (1, 2);
INSERT INTO store (manager_staff_id) VALUES (1), (2);
INSERT INTO staff (first_name, email, store_id, picture) VALUES ('Mike', 'mike@example.org', 1, '\\x89504e470d'), ('Jon', NULL, 2, '');
INSERT INTO customer (store_id, first_name, create_date, last_update, active) VALUES (1, 'Mary', '2022-02-14', '2022-02-15 09:57:20', 1), (2, 'Bob', '0044-03-15', NULL, NULL);
INSERT INTO rental (rental_period, customer_id, took) VALUES ('["2022-05-24 22:53:30+00","2022-05-26 22:04:30+00")', 1, '1 day 23:11:00'), ('["2022-05-24 22:54:33+00",)', 1, NULL), ('empty', 2, '-1 mons +3 days');
INSERT INTO payment (customer_id, rental_id, amount, payment_date) VALUES (1, 1, 2.99, '2022-01-24 21:40:19.996577+00'), (1, 2, 0.00, '2022-02-01 00:00:00+00'), (2, 3, 999.99, '2022-02-28 23:59:59.999999+00');
CREATE VIEW actor_info AS SELECT a.actor_id, a.first_name, string_agg(f.title, ', ' ORDER BY f.title) AS films, count(*) AS films_count, sum(f.rental_rate) AS rates
  FROM actor AS a JOIN film_actor AS fa USING (actor_id) JOIN film AS f USING (film_id) GROUP BY a.actor_id;
CREATE MATERIALIZED VIEW rental_by_category AS SELECT rating, sum(replacement_cost) AS total FROM film GROUP BY rating;
CREATE RULE languages_are_never_renamed_to_nothing AS ON UPDATE TO language WHERE NEW.name IS NULL DO INSTEAD NOTHING
""",
    read_only=frozenset({"actor_info", "rental_by_category"}),
    stamped=frozenset({"actor.last_update"}),
)

SHAPES = {"Pagila": PAGILA}
