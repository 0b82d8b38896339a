from genmem.io.urls import is_remote, is_url, without_secrets


def test_a_url_begins_with_a_scheme():
    assert all(map(is_url, ["https://x/a.tar", "s3://b", "gs://b/{0..1}.tar"]))
    assert not any(map(is_url, ["a.tar", "hf:x/y", "C:/x", "/a://b", None]))
    assert is_remote("hf:x/y")
    assert is_remote("s3://b/a.tar")
    assert not is_remote("a.tar")


def test_user_password_query_and_fragment_are_not_shown():
    url = "https://user:word@host/a b/{0..1}.tar?signature=secret#part"
    assert without_secrets(url) == "https://host/a b/{0..1}.tar"
    assert without_secrets("a.tar?x#y") == "a.tar?x#y"
    text = "404 at 'https://user:word@host/a.tar?signature=secret', and s3://key:word@b/x"
    assert without_secrets(text) == "404 at 'https://host/a.tar', and s3://b/x"
