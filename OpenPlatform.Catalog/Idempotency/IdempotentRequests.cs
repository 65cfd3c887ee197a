using System.Text.Json;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Idempotency;

/// <summary>Metadata of an endpoint: its success is 201 with <c>Location</c>.</summary>
internal sealed class AnswersCreated;

/// <summary>Lets whoever writes keep the answer of the request that it serves, in its own transaction.</summary>
internal sealed class IdempotentRequests(
    IHttpContextAccessor requests, IOptions<CatalogOptions> options, IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions> json)
{
    /// <summary>Belongs before the commit of every transaction that a POST makes. Without a request, or without a key in it, nothing happens.</summary>
    /// <param name="value">What the endpoint answers with.</param>
    /// <exception cref="TimeoutException">The request took so long that it was given up: nothing may be committed.</exception>
    public async Task KeepAsync<T>(NpgsqlConnection connection, NpgsqlTransaction transaction, T value)
    {
        if (requests.HttpContext is not { } context || context.Features.Get<IdempotentRun>() is not { } run)
        {
            return;
        }

        var answer = AnswerOf(context, value);
        if (!await IdempotencyStore.KeepAsync(connection, transaction, run, answer.Seal(options.Value.KeyPepperBytes, run)))
        {
            throw new TimeoutException("The request was given up before it was done.");
        }

        context.Features.Set(answer);
    }

    // What ResourceAnswers will say. Where an endpoint says something else, the middleware corrects it afterwards.
    private IdempotentAnswer AnswerOf<T>(HttpContext context, T value)
    {
        var resource = value as ICatalogResource;
        var isCreated = context.GetEndpoint()?.Metadata.GetMetadata<AnswersCreated>() is not null;
        return new(
            isCreated ? StatusCodes.Status201Created : StatusCodes.Status200OK, "application/json; charset=utf-8",
            resource is null ? null : $"\"{resource.Etag}\"",
            isCreated && resource is not null ? $"{context.Request.Path.Value!.TrimEnd('/')}/{resource.Id}" : null,
            JsonSerializer.SerializeToUtf8Bytes(value, json.Value.SerializerOptions));
    }
}
