using System.Net;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Failed authentications at the token endpoint, over replicas.</summary>
public sealed class SharedGuessesTests(SharedPostgres postgres, RedisServerFixture redis) : IClassFixture<RedisServerFixture>
{
    private const int Allowed = 3;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Replicas_count_guesses_together_and_each_for_itself_without_redis()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var one = Replica(database, redis.ConnectionString);
        await one.ReadyAsync();
        await using var two = Replica(database, redis.ConnectionString);
        await two.ReadyAsync();
        await using var alone = Replica(database, "127.0.0.1:1,password=none");
        await alone.ReadyAsync();
        using var first = one.Anonymous();
        using var second = two.Anonymous();
        using var third = alone.Anonymous();

        // A minute may turn in between; then it begins again, with another client.
        await Eventually.TrueAsync(async () =>
        {
            var victim = Guid.NewGuid().ToString();
            for (var i = 0; i < Allowed; i++)
            {
                Assert.Equal(HttpStatusCode.Unauthorized, await GuessAsync(first, victim));
            }

            return await GuessAsync(second, victim) == HttpStatusCode.TooManyRequests
                && await GuessAsync(second, Guid.NewGuid().ToString()) == HttpStatusCode.Unauthorized
                && await GuessAsync(third, victim) == HttpStatusCode.Unauthorized;
        });

        var other = Guid.NewGuid().ToString();
        await Eventually.TrueAsync(async () => await GuessAsync(third, other) == HttpStatusCode.TooManyRequests);
    }

    private static CatalogServer Replica(string database, string redis) => new(database, settings:
    [
        ("OpenPlatform:Tokens:Issuer", TokenFixture.Issuer), ("OpenPlatform:Tokens:FailuresPerMinute", $"{Allowed}"), ("ConnectionStrings:redis", redis),
    ]);

    private static async Task<HttpStatusCode> GuessAsync(HttpClient http, string client)
    {
        using var form = new FormUrlEncodedContent([new("grant_type", "client_credentials"), new("client_id", client), new("client_secret", "opc_guess")]);
        using var response = await http.PostAsync("/oauth/token", form, Stop);
        return response.StatusCode;
    }
}
